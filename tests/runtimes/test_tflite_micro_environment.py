"""The tests of TensorFlow Lite Micro where its package is not part of the environment: it is added to the path of a child."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit_runtimes.tflite_micro import TfliteMicro

ROOT = Path(__file__).parents[2]
TESTS = (
    "tests/runtimes/test_tflite_micro.py",
    "tests/conformance/test_runtimes_conform.py",
    "tests/test_microcontroller_target.py",
)


@pytest.mark.slow
@pytest.mark.skipif(TfliteMicro().probe().available, reason="tflite-micro is installed: its tests run anyway")
def test_the_tests_of_tflite_micro_pass_with_its_package(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--target",
        tmp_path,
        "--no-deps",
        "tflite-micro",
        "pyyaml",
    ]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"tflite-micro could not be installed: {installed.stderr.strip().splitlines()[-1]}")
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "micro",
            *TESTS,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "passed" in found.stdout
    assert "failed" not in found.stdout
