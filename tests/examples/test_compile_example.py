"""examples/compile_for_npu.py runs as its head says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conversion import DIGITS, UNCHECKED, convert

from edgekit_converters.compilers.tool import find_tool


@pytest.mark.slow
@pytest.mark.skipif(find_tool("vela") is None, reason="vela is not installed: pip install ethos-u-vela")
def test_larger_npus_need_fewer_cycles_for_the_digits(tmp_path: Path) -> None:
    made = convert(DIGITS / "digits_cnn.keras", tmp_path, *UNCHECKED, "--target", "ethos-u55")
    assert made.code == 0
    script = DIGITS.parent / "compile_for_npu.py"
    ran = subprocess.run([sys.executable, script, tmp_path / "digits_cnn.int8.tflite"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    cycles = [int(text.replace(",", "")) for text in re.findall(r": ([\d,]+) NPU cycles, 0 of", ran.stdout)]
    assert len(cycles) == 4
    assert cycles == sorted(cycles, reverse=True)
