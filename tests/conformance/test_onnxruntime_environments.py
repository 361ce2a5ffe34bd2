"""The conformance suite on the builds of ONNX Runtime that bring other execution providers, each in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from separate_environments import ROOT, passed, skip_without_index


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
    skip_without_index(found.stderr)
    assert found.returncode == 0, found.stdout + found.stderr
    assert passed(found.stdout) >= fewest, found.stdout
