"""Trained networks in int8 give the same integers here and on emulated boards: the benchmark's own run, on fewer samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_boards import board

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.skipif("EDGEKIT_DATA" not in os.environ, reason="needs the folder that EDGEKIT_DATA names"),
]

HANGS = 3000.0
"""Seconds after which it will never end. It takes minutes: four with one other process a core, over ten with eight."""

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "emulated_twins.py"


@pytest.mark.parametrize(
    "network",
    [
        "resnet8",
        "ad01",
        pytest.param("kws", marks=pytest.mark.tensorflow),
        pytest.param("lstm", marks=pytest.mark.pytorch),
        pytest.param("transformer", marks=pytest.mark.pytorch),
    ],
)
def test_a_trained_network_answers_alike(network: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("raspberry-pi-2", "raspberry-pi-4", "raspberry-pi-5"):
        board(name)
    folder = tmp_path_factory.getbasetemp() / "bench"
    root = SCRIPT.parents[2]
    path = os.pathsep.join(map(str, (root, root / "converters", root / "runtimes")))
    environment = {**os.environ, "EDGEKIT_BENCH": str(folder), "PYTHONPATH": path}
    fewer = ("--samples", "3", "--epochs", "4")  # whether the integers are the same, not whether they are right
    command = [sys.executable, "-W", "ignore", SCRIPT, network, *fewer]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    result = json.loads((folder / "results" / f"emulated_{network}.json").read_text("utf-8"))
    judged = [figure for figure in result["figures"] if figure["limit"] == 1.0]
    assert len(judged) >= 2
    assert all(figure["found"] == 1.0 for figure in judged)
