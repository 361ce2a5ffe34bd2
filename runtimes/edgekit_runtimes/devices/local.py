"""This machine as a device: the runner in another interpreter, as a board would run it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgekit.artifact import written_whole
from edgekit.errors import DeviceError, UsageError
from edgekit.protocols import Finished


class LocalTransport:
    """Transport "local": commands and files of this machine. Takes no address."""

    emulated = False
    python = sys.executable

    def __init__(self, address: str = "") -> None:
        if address:
            raise UsageError(f"the device 'local' takes no address; found {address!r}")
        self.name = "local"

    def run(self, command: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Finished:
        try:
            done = subprocess.run([*command], input=stdin, capture_output=True, timeout=seconds, check=False)
        except (FileNotFoundError, PermissionError) as error:
            return Finished(127, b"", f"{command[0]}: {error.strerror}")
        except subprocess.TimeoutExpired as error:
            raise DeviceError(f"{command[0]} took more than {seconds:g} s on this machine") from error
        return Finished(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def start(self, command: Sequence[str], channel: socket.socket) -> subprocess.Popen[bytes]:
        try:
            both = channel.fileno()
            return subprocess.Popen([*command], stdin=both, stdout=both, stderr=subprocess.PIPE, start_new_session=True)
        except (FileNotFoundError, PermissionError) as error:
            raise DeviceError(f"{command[0]!r} can't be run: {error.strerror}; name the Python to use") from error

    def put(self, path: Path, remote: str) -> None:
        with written_whole(Path(remote)) as part:
            shutil.copyfile(path, part)

    def get(self, remote: str, path: Path) -> None:
        self.put(Path(remote), str(path))

    def lost(self, code: int | None, lines: Sequence[str]) -> None:
        """The way to this machine does not break."""

    def close(self) -> None:
        """Nothing is held open."""
