"""The conformance suite in an environment that can hold tflite-runtime: numpy 1, and none of the converters' packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from separate_environments import ROOT, new_environment, passes

SUITE = ROOT / "tests" / "conformance" / "test_runtimes_conform.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime has wheels for Python 3.9 to 3.11")
def test_the_conformance_suite_passes_in_an_environment_with_tflite_runtime(tmp_path: Path) -> None:
    python = new_environment(tmp_path / "environment", "tflite-runtime>=2.14", "numpy<2", "click", "pytest")
    path = os.environ.get("PYTHONPATH", "")
    passes(python, "-k", "tflite_runtime", SUITE, path=path, fewest=25)
