"""Where a child process runs: on this machine, or on a device that hands its stdin and stdout through."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from edgekit.errors import EdgekitError


@dataclass(frozen=True, slots=True)
class Started:
    """A child process that listens on its channel; what it prints comes from ``output``.

    ``folder``: its temporary files here, for the parent to remove. ``lifeline``: a descriptor whose closing tells the child
    that its parent is gone; -1 where the channel itself tells.
    """

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    folder: str | None = None
    lifeline: int = -1


class Host(Protocol):
    """Starts children. Exists so that a function runs on a board as it does here (`edgekit.devices.Device`)."""

    def start(self, channel: socket.socket) -> Started:
        """A child that serves the conversation on ``channel``, which the caller closes afterwards."""

    def broken(self, code: int | None, lines: Sequence[str]) -> EdgekitError | None:
        """The error for a child that ended with ``code`` after printing ``lines``, where the host is to blame, not the child."""


class ThisMachine:
    """A fresh interpreter with this one's import path, in a process group and a folder of its own."""

    def start(self, channel: socket.socket) -> Started:
        folder = _temporary_folder()
        theirs, ours = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _program(channel.fileno(), theirs, folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(channel.fileno(), theirs),
                env={**os.environ, "TMPDIR": folder},
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        assert process.stdout is not None
        return Started(process, process.stdout, folder, ours)

    def broken(self, code: int | None, lines: Sequence[str]) -> EdgekitError | None:
        return None


def _program(channel_fd: int, lifeline_fd: int, folder: str) -> str:
    # Not "-m": that would put the working folder, where anything may lie, before the installed packages.
    path = [str(Path(entry).absolute()) for entry in sys.path]
    return (
        f"import sys; sys.path[:] = {path!r}; from edgekit.isolation.child import main; "
        f"main({channel_fd}, {lifeline_fd}, {folder!r})"
    )


def _temporary_folder() -> str:
    try:
        return tempfile.mkdtemp(prefix="edgekit-")
    except OSError as error:
        raise EdgekitError(
            f"no folder for temporary files can be made: {error}. Set TMPDIR to a writable one."
        ) from error
