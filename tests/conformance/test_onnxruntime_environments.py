"""The conformance suite on the builds of ONNX Runtime that bring other execution providers, each in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="the wheels are for x86-64")
@pytest.mark.parametrize(("build", "fewest"), [("openvino", 39), ("qnn", 40), ("gpu", 30)])
def test_the_conformance_suite_passes_on_the_build(tmp_path: Path, build: str, fewest: int) -> None:
    found = subprocess.run(
        ["bash", ROOT / "scripts" / "provider", build],
        env={**os.environ, "EDGEKIT_VENV": str(tmp_path / build), "PYTHON": sys.executable, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if "No matching distribution" in found.stderr or "Could not find a version" in found.stderr:
        pytest.skip(f"the build could not be installed: {found.stderr.strip().splitlines()[-1]}")
    assert found.returncode == 0, found.stdout + found.stderr
    passed = re.search(r"(\d+) passed", found.stdout)
    assert passed is not None
    assert int(passed[1]) >= fewest, found.stdout
