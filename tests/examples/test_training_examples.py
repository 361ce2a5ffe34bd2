"""The examples of pruning in training run as they stand, and what they write converts."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conversion import convert

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "training"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("prune_pytorch", marks=pytest.mark.pytorch),
        pytest.param("prune_keras", marks=pytest.mark.tensorflow),
    ],
)
def test_a_pruned_network_is_trained_on_and_converts(name: str, tmp_path: Path) -> None:
    pytest.importorskip({"prune_pytorch": "torch", "prune_keras": "tensorflow"}[name])
    path = os.pathsep.join(str(ROOT / room) for room in (".", "converters", "runtimes"))
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", tmp_path],
        capture_output=True,
        text=True,
        env=environment,
        timeout=400,
    )
    assert ran.returncode == 0, ran.stderr
    whole, removed, trained, command = ran.stdout.splitlines()
    accuracies = [float(re.findall(r"([\d.]+)%", line)[-1]) for line in (whole, removed, trained)]
    assert accuracies[0] > 85
    assert accuracies[2] > accuracies[0] - 4, ran.stdout
    assert int(re.findall(r"(\d+) parameters", trained)[0]) < 0.8 * int(re.findall(r"(\d+) parameters", whole)[0])
    _, _, model, _, out, *options = shlex.split(command)
    made = convert(model, Path(out), *options)
    assert made.code == 0, made.err or made.document
