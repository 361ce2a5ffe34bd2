"""Tests that run in another environment than this one: packages for it, and what pytest says there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def new_environment(folder: Path, *packages: str | Path) -> Path:
    """Python of a new virtual environment with the packages, which sees nothing of this one."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install(python, *packages)
    return python


def install(python: str | Path, *arguments: str | Path) -> None:
    """What pip is to install; skips where no package index is reached, and fails for any other reason."""
    command = [python, "-m", "pip", "install", "-q", *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ""})
    skip_without_index(found.stderr)
    assert found.returncode == 0, found.stderr


def skip_without_index(said: str) -> None:
    """pip says the same of an index that is not reached and of one that has no such package."""
    if "No matching distribution" in said or "Could not find a version" in said:
        pytest.skip(f"packages could not be installed: {said.strip().splitlines()[-1]}")


def passes(python: str | Path, *arguments: str | Path, cwd: Path = ROOT, path: str = "", fewest: int) -> str:
    """Run pytest there, with ``path`` as PYTHONPATH, and see that at least so many tests pass; what it said."""
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    found = subprocess.run(
        command, cwd=cwd, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert passed(found.stdout) >= fewest, found.stdout
    return found.stdout


def passed(said: str) -> int:
    found = re.search(r"(\d+) passed", said)
    return int(found[1]) if found else 0
