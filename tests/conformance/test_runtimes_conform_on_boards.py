"""The conformance suite on emulated boards: pytest itself runs there, in the board's Python, with the board's wheels."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from made_boards import board

from edgekit.devices import Device

SUITE = Path(__file__).with_name("test_runtimes_conform.py")
ARM64, ARMV7 = ("onnxruntime", "litert"), ("tflite_runtime",)


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("name", "runtimes"),
    [("raspberry-pi-4", ARM64), ("raspberry-pi-2", ARMV7)],
)
def test_every_runtime_of_a_board_conforms(
    name: str, runtimes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[2]
    for name_of_setting in [each for each in os.environ if each.startswith("PYTEST_")]:
        monkeypatch.delenv(name_of_setting)
    with Device.open(board(name)) as device:
        command = [device.python, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--rootdir", str(root), str(SUITE)]
        finished = device.transport.run(command, seconds=60.0)
    told = finished.output.decode()
    assert finished.code == 0, told + finished.errors
    passed = set(re.findall(r"\[(\w+)\S*\] PASSED", told))
    assert passed == set(runtimes), "the others are skipped"
