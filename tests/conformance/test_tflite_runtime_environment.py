"""The conformance suite in an environment that can hold tflite-runtime: numpy 1, and none of the converters' packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime has wheels for Python 3.9 to 3.11")
def test_the_conformance_suite_passes_in_an_environment_with_tflite_runtime(tmp_path: Path) -> None:
    python = _environment(tmp_path / "environment")
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "tflite_runtime",
        ROOT / "tests" / "conformance" / "test_runtimes_conform.py",
    ]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "passed" in found.stdout
    assert "failed" not in found.stdout


def _environment(folder: Path) -> Path:
    """Python of a new virtual environment with tflite-runtime, numpy 1 and pytest; skips where no package index is reached."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    packages = ["tflite-runtime>=2.14", "numpy<2", "click", "pytest"]
    found = subprocess.run(
        [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.skip(f"tflite-runtime could not be installed: {found.stderr.strip().splitlines()[-1]}")
    return python
