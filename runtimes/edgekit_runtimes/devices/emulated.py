"""A board that QEMU plays on this machine: its files and programs are the board's, its time is nobody's.

A board is a folder ``root`` with the board's system, and beside it ``board.toml``::

    qemu = "qemu-aarch64-static"       # the program that runs the board's programs
    cpu = "cortex-a72"                 # never QEMU's default, whose int8 answers are wrong
    python = "usr/bin/python3.11"      # in the root
    [env]                              # what the board's programs find in their environment
    LD_LIBRARY_PATH = "..."

Only Python runs in the emulation; folders are made and files copied by this machine.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import DeviceError, UnknownNameError
from edgekit.protocols import Finished
from edgekit.recipe import read_toml
from edgekit_runtimes.devices.local import LocalTransport


class EmulatedTransport:
    """Transport "emulated". ``address``: the board's name, a folder of `boards_folder`."""

    emulated = True

    def __init__(self, address: str) -> None:
        folder = boards_folder() / address
        if not address or not (folder / "board.toml").is_file():
            raise UnknownNameError("emulated board", address, _boards())
        board = read_toml(folder / "board.toml")
        self.name = f"emulated://{address}"
        root = folder / "root"
        self.python = str(root / _entry(board, "python", folder))
        self._qemu = _program(_entry(board, "qemu", folder))
        prefix = (self._qemu, "-cpu", _entry(board, "cpu", folder), "-L", str(root))
        pairs = [f"{name}={value}" for name, value in board.get("env", {}).items()]
        self._prefix = (*prefix, *(part for pair in pairs for part in ("-E", pair)))
        self._cache = folder / "cache"
        self._here = LocalTransport()

    def run(self, command: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Finished:
        patience = seconds * _SLOWER
        return self._here.run(self._inside(command), stdin=stdin, seconds=patience)

    def start(self, command: Sequence[str], channel: socket.socket) -> subprocess.Popen[bytes]:
        return self._here.start(self._inside(command), channel)

    def put(self, path: Path, remote: str) -> None:
        self._here.put(path, remote)

    def get(self, remote: str, path: Path) -> None:
        self._here.get(remote, path)

    def lost(self, code: int | None, lines: Sequence[str]) -> None:
        """The way to an emulated board does not break."""

    def close(self) -> None:
        """Nothing is held open."""

    def _inside(self, command: Sequence[str]) -> list[str]:
        if Path(command[0]).name.startswith("python"):
            return [*self._prefix, *command]
        return ["env", f"XDG_CACHE_HOME={self._cache}", *command]


def boards_folder() -> Path:
    """``EDGEKIT_EMULATOR_ROOT``, or the folder in the user's cache."""
    if named := os.environ.get("EDGEKIT_EMULATOR_ROOT"):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "edgekit" / "emulator"


_SLOWER = 20.0
"""Patience with the emulation: what takes a board seconds takes it minutes."""


def _boards() -> list[str]:
    return [path.parent.name for path in boards_folder().glob("*/board.toml")]


def _entry(board: dict[str, Any], key: str, folder: Path) -> str:
    value = board.get(key)
    if not isinstance(value, str) or not value:
        raise DeviceError(f"{folder / 'board.toml'} lacks {key!r}; docs/devices.md lists what it holds")
    return value.lstrip("/") if key == "python" else value


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise DeviceError(f"{name!r} is not installed here. Install it with: apt install qemu-user-static")
    return found
