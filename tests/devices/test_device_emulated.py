"""A board that QEMU plays: here with this machine's own system as the board's, which any machine has."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.devices import Address, Device, opened_model
from edgekit.errors import DeviceError, UnknownNameError

QEMU = f"qemu-{platform.machine()}-static"
CPUS = {"x86_64": "Skylake-Client", "aarch64": "cortex-a72"}

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"no {QEMU}: apt install qemu-user-static"),
]


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board_python: str) -> Path:
    monkeypatch.setenv("EDGEKIT_EMULATOR_ROOT", str(tmp_path))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "twin").mkdir()
    (tmp_path / "twin" / "root").symlink_to("/")
    cpu = CPUS[platform.machine()]
    text = f'qemu = "{QEMU}"\ncpu = "{cpu}"\npython = "{board_python}"\n[env]\nBOARD = "twin"\n'
    (tmp_path / "twin" / "board.toml").write_text(text)
    return tmp_path


def test_a_file_answers_on_an_emulated_board_as_it_does_here(boards: Path, model: Path):
    x = np.array([[0.0, 1.0, 2.0]], np.float32)
    with opened_model(model, Address("emulated://twin")) as there, opened_model(model, None) as here:
        np.testing.assert_allclose(there(x), here(x), rtol=1e-6)
    assert (boards / "twin" / "cache" / "edgekit" / "models").is_dir()


def test_python_there_finds_the_boards_environment(boards: Path):
    with Device.open(Address("emulated://twin")) as device:
        assert device.emulated
        finished = device.run([device.python, "-c", "import os; print(os.environ['BOARD'])"], "ask")
    assert finished.output == b"twin\n"


def test_a_board_that_was_not_made_is_named(boards: Path):
    with pytest.raises(UnknownNameError, match=r"no emulated board named 'twim'\. Did you mean 'twin'"):
        Device.open(Address("emulated://twim"))


def test_a_board_without_a_processor_is_refused(boards: Path):
    """QEMU's default one gives wrong int8 answers."""
    (boards / "twin" / "board.toml").write_text(f'qemu = "{QEMU}"\npython = "{sys.executable}"\n')
    with pytest.raises(DeviceError, match="lacks 'cpu'"):
        Device.open(Address("emulated://twin"))
