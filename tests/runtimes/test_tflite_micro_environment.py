"""The tests of TensorFlow Lite Micro where its package is not part of the environment: it is added to the path of a child."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from separate_environments import install, passes

from edgekit_runtimes.tflite_micro import TfliteMicro

TESTS = (
    "tests/runtimes/test_tflite_micro.py",
    "tests/conformance/test_runtimes_conform.py",
    "tests/test_microcontroller_target.py",
)


@pytest.mark.slow
@pytest.mark.skipif(TfliteMicro().probe().available, reason="tflite-micro is installed: its tests run anyway")
def test_the_tests_of_tflite_micro_pass_with_its_package(tmp_path: Path) -> None:
    install(sys.executable, "--target", tmp_path, "--no-deps", "tflite-micro", "pyyaml")
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    passes(sys.executable, "-k", "micro", *TESTS, path=path, fewest=35)
