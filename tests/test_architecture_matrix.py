"""Every architecture from Keras and PyTorch in every format and precision: no cell refused, none below its floor.

The networks are those of `scripts/bench/architectures.py` with the weights that they begin with; that script's own figures, on
trained networks, stand in docs/results.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.pytorch,
    pytest.mark.tensorflow,
    pytest.mark.skipif("EDGEKIT_DATA" not in os.environ, reason="needs the folder that EDGEKIT_DATA names"),
]

SCRIPT = Path(__file__).parent.parent / "scripts" / "bench" / "architectures.py"
ARCHITECTURES = (
    *("feed-forward", "cnn", "rnn", "lstm", "gru", "rnn-stacked", "lstm-stacked", "gru-stacked"),
    *("generator", "discriminator", "encoder", "decoder", "autoencoder", "vae"),
)
FLOORS = {"float32": 110.0, "float16": 55.0, "int8-dynamic": 30.0, "int8": 34.0}
"""Decibels."""

ONE_LOGIT = 24.0
"""Floor of the discriminator's int8 files: before training its one logit hardly varies (27 to 36 dB; peers 31 to 35)."""


@pytest.fixture(scope="module", params=["keras", "pytorch"])
def cells(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The cells of all networks of one framework, by one run of the script."""
    folder = tmp_path_factory.mktemp(request.param)
    root = SCRIPT.parents[2]
    path = os.pathsep.join(map(str, (root, root / "converters", root / "runtimes")))
    environment = os.environ | {"EDGEKIT_BENCH": str(folder), "PYTHONPATH": path}
    command = [sys.executable, "-W", "ignore", SCRIPT, "--framework", request.param, "--untrained", "--no-peers"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    files = sorted(folder.glob("architectures/files/*/*.own.json"))
    assert len(files) == len(ARCHITECTURES), done.stderr[-3000:]
    return [cell for file in files for cell in json.loads(file.read_text("utf-8"))]


def test_every_cell_has_a_file(cells: list[dict[str, object]]) -> None:
    assert not [cell for cell in cells if cell["db"] is None]
    assert len(cells) == len(ARCHITECTURES) * 2 * len(FLOORS)


@pytest.mark.parametrize("precision", FLOORS)
def test_no_cell_is_below_its_floor(cells: list[dict[str, object]], precision: str) -> None:
    found = {(cell["architecture"], cell["file_format"]): cell["db"] for cell in cells if cell["maker"] == precision}
    floors = dict.fromkeys(ARCHITECTURES, FLOORS[precision])
    if precision == "int8":
        floors["discriminator"] = ONE_LOGIT
    assert not {key: db for key, db in found.items() if not isinstance(db, float) or db < floors[str(key[0])]}
