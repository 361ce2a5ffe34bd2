"""The child's side on a device: the conversation comes over stdin and stdout instead of an inherited socket.

Two threads hand the bytes on, so that `edgekit.isolation.child` is the same here and there. The end of stdin means that the
parent is gone or the connection lost: the child then ends within seconds, whatever it is doing, and its folder with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NoReturn

from edgekit.isolation.child import main

_BLOCK = 1 << 16
_GRACE_SECONDS = 2.0


def serve() -> NoReturn:
    """Serve the parent at the other end of stdin and stdout; what anything prints goes to stderr."""
    with contextlib.suppress(OSError):
        os.setsid()
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    folder = tempfile.mkdtemp(prefix="edgekit-")
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    ours, theirs = socket.socketpair()
    lifeline, held = os.pipe()
    threading.Thread(target=_inwards, args=(source, theirs, held), daemon=True).start()
    outwards = threading.Thread(target=_outwards, args=(theirs, sink), daemon=True)
    outwards.start()
    main(ours.detach(), lifeline, folder, before_end=lambda: _drain(folder, outwards))


def _inwards(source: int, channel: socket.socket, lifeline: int) -> None:
    """Parent to child. At the end the child sees the end of the conversation first, and is told to end a little later."""
    with contextlib.suppress(OSError):
        while block := os.read(source, _BLOCK):
            channel.sendall(block)
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_WR)
    time.sleep(_GRACE_SECONDS)
    os.close(lifeline)


def _outwards(channel: socket.socket, sink: int) -> None:
    with contextlib.suppress(OSError):
        while block := channel.recv(_BLOCK):
            _write_all(sink, block)


def _write_all(sink: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(sink, view) :]


def _drain(folder: str, outwards: threading.Thread) -> None:
    """Let the last answer leave, then remove what the child wrote."""
    outwards.join(_GRACE_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.flush()
