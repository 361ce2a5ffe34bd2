"""Calibration and evaluation samples as files of the work folder, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from models import WORK, data_file
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def sample_files(name: str, make: Callable[[], tuple[Arrays, Arrays]]) -> tuple[Path, Path]:
    """(calibration, evaluation) .npz under a name; ``make`` gives the arrays of both."""
    paths = WORK / f"{name}_calibrate.npz", WORK / f"{name}_evaluate.npz"
    if not all(path.exists() for path in paths):
        WORK.mkdir(parents=True, exist_ok=True)
        for path, arrays in zip(paths, make(), strict=True):
            np.savez(path, **arrays)
    return paths


def cifar_parts(evaluated: int) -> tuple[Arrays, Arrays]:
    """``x`` uint8 (N, 32, 32, 3) and ``y`` of 200 training pictures and of the first others."""
    training, others = np.load(data_file("cifar10_train.npz")), np.load(data_file("cifar10_eval.npz"))
    return {name: training[name][:200] for name in "xy"}, {name: others[name][:evaluated] for name in "xy"}
