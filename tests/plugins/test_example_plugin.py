"""examples/plugin_runtime, installed beside edgekit in an environment of its own, passes its own tests there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "plugin_runtime"


@pytest.mark.slow
def test_the_example_package_installs_and_passes_the_conformance_suites(tmp_path: Path) -> None:
    python = _environment(tmp_path / "environment")
    found = subprocess.run(
        [python, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", PLUGIN / "tests"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    passed = re.search(r"(\d+) passed", found.stdout)
    assert passed is not None
    assert int(passed[1]) >= 34
    assert "skipped" not in found.stdout


def _environment(folder: Path) -> Path:
    """Python of a new virtual environment with edgekit and the plug-in; skips where no package index is reached."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "-q", f"{ROOT}[convert,testing]", PLUGIN]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ""})
    if found.returncode and "No matching distribution" in found.stderr:
        pytest.skip(f"packages could not be installed: {found.stderr.strip().splitlines()[-1]}")
    assert found.returncode == 0, found.stderr
    return python
