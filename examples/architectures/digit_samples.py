"""The handwritten digits that the examples train on: pictures of 8 x 8 pixels in 0..1, and files of samples for edgekit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent.parent / "digits"


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(700, 8, 8) pictures and their digits."""
    parts = [np.load(FOLDER / f"{name}.npz") for name in ("evaluate", "calibrate")]
    pictures = np.concatenate([part["x"] for part in parts])[..., 0].astype(np.float32) / 16
    return pictures, np.concatenate([part["y"] for part in parts]).astype(np.int64)


def save_samples(path: Path, **arrays: NDArray[np.generic]) -> None:
    """One array an input; `y` are labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the keywords for its own


def convert_command(model: Path, samples: Path, *options: str) -> str:
    """What to type next."""
    folder = model.parent
    return " ".join(["edgekit convert", str(model), "-o", str(folder / "out"), "--calibrate", str(samples), *options])
