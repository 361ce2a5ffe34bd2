"""The emulated boards that `scripts/emulator` makes; what needs one is skipped where it was not made."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.devices import Address
from edgekit_runtimes.devices.emulated import boards_folder


def board(name: str) -> Address:
    """The board's address."""
    board_root(name)
    return Address(f"emulated://{name}")


def board_root(name: str) -> Path:
    """The folder with the board's system."""
    folder = boards_folder() / name
    if not (folder / "board.toml").is_file():
        pytest.skip(f"no emulated {name}: scripts/emulator makes it")
    return folder / "root"
