"""The child's side on a device: the conversation comes over stdin and stdout instead of an inherited socket.

Two threads hand the bytes on, so that `edgekit.isolation.child` is the same here and there. The end of stdin means that the
parent is gone or the connection lost: the child then ends within seconds, whatever it is doing, and its folder with it.
A blank line on stderr now and then makes the connection notice that nobody is there any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from edgekit.isolation.child import main

_BLOCK = 1 << 16
_GRACE_SECONDS = 2.0
_HEARTBEAT_SECONDS = 30.0
_LOCK = "lock"


def serve(runner: str) -> NoReturn:
    """Serve the parent at the other end of stdin and stdout; what anything prints goes to stderr.

    ``runner``: path of the running file, beside whose folder the folder ``jobs`` is for temporary files.
    """
    with contextlib.suppress(OSError):
        os.setsid()
    folder = _job_folder(Path(runner).absolute().parent.parent / "jobs")
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    ours, theirs = socket.socketpair()
    lifeline, held = os.pipe()
    threading.Thread(target=_inwards, args=(source, theirs, held), daemon=True).start()
    threading.Thread(target=_beat, daemon=True).start()
    outwards = threading.Thread(target=_outwards, args=(theirs, sink), daemon=True)
    outwards.start()
    main(ours.detach(), lifeline, folder, before_end=lambda: _drain(folder, outwards))


def _job_folder(jobs: Path) -> str:
    """A new folder, locked as long as this process lives. Removes those whose process is gone: the device lost power."""
    try:
        jobs.mkdir(exist_ok=True)
        with _locked(jobs / _LOCK):
            for folder in jobs.iterdir():
                if folder.is_dir() and _abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)
            made = tempfile.mkdtemp(prefix="job-", dir=jobs)
            handle = os.open(Path(made, _LOCK), os.O_CREAT | os.O_WRONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)  # and the handle stays open
            return made
    except OSError as error:
        sys.exit(f"edgekit-runner: it can't make temporary files in {jobs}: {error.strerror}; make room there")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _abandoned(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except FileNotFoundError:
        return True
    except OSError:
        return False


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


def _beat() -> None:
    with contextlib.suppress(OSError):
        while True:
            time.sleep(_HEARTBEAT_SECONDS)
            os.write(2, b"\n")


def _write_all(sink: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(sink, view) :]


def _drain(folder: str, outwards: threading.Thread) -> None:
    """Let the last answer leave, then remove what the child wrote."""
    outwards.join(_GRACE_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.flush()
