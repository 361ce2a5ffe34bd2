"""The child's side: call one function, or keep one session open, and answer on the channel."""

from __future__ import annotations

import errno
import faulthandler
import importlib
import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from edgekit import errors
from edgekit.isolation.messages import Call, Failure, Open, Opened, Outcome, Place, Run, StageBegan, Stepped
from edgekit.isolation.wire import Channel
from edgekit.protocols import Session

STACK_FILE = "python-stack-at-the-crash"
"""In the child's temporary folder: where Python was when native code crashed."""

_GRACE_SECONDS = 3.0
_STEP_INTERVAL_SECONDS = 0.05
_DISK_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def main(channel_fd: int, lifeline_fd: int, folder: str, before_end: Callable[[], None] | None = None) -> NoReturn:
    """Serve one parent, then end without the exit code of native libraries, which may hang or crash.

    ``folder`` is for temporary files; the parent made it and removes it, unless it ends first. ``before_end``: called when
    the channel is closed and all is said.
    """
    stack = Path(folder, STACK_FILE).open("w")  # noqa: SIM115  # stays open as long as the process
    faulthandler.enable(stack, all_threads=False)
    signal.signal(signal.SIGTERM, _raise_terminated)
    orphaned = threading.Event()
    threading.Thread(target=_end_with_parent, args=(lifeline_fd, folder, orphaned), daemon=True).start()
    channel = Channel(socket.socket(fileno=channel_fd))
    code = 0
    try:
        _serve(channel)
    except (_TerminatedError, EOFError, OSError):
        code = 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a parent that hangs up and asks to end must not disturb the end
        if orphaned.is_set():
            _end_group(folder)
        channel.close()
        if before_end is not None:
            before_end()
        sys.stderr.flush()
        os._exit(code)


class RemoteProgress:
    """A Progress that tells the parent; steps are gathered, so that a million of them cost little."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pending = 0
        self._sent_at = 0.0

    def stage(self, name: str, total: int | None = None) -> None:
        self.flush()
        self._channel.send(StageBegan(name, total))

    def step(self, count: int = 1) -> None:
        self._pending += count
        if time.monotonic() - self._sent_at > _STEP_INTERVAL_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            self._channel.send(Stepped(self._pending))
            self._pending, self._sent_at = 0, time.monotonic()


def _serve(channel: Channel) -> None:
    first = channel.receive()
    if isinstance(first, Call):
        _reply(channel, lambda: _call(first, channel))
        return
    assert isinstance(first, Open)
    opened: list[Session] = []
    _reply(channel, lambda: _open(first, channel, opened))
    for session in opened:
        _keep_answering(channel, session)


def _keep_answering(channel: Channel, session: Session) -> None:
    try:
        while True:
            message = channel.receive()
            _reply(channel, lambda: _ask(session, message))  # noqa: B023  # called before the next message
    except EOFError:
        session.close()


def _reply(channel: Channel, work: Callable[[], object]) -> None:
    """Send what ``work`` returns, or the Failure that tells what it raised."""
    answer = _answer_of(work)
    try:
        channel.send(answer)
    except TypeError as error:
        channel.send(_failure(error))


def _answer_of(work: Callable[[], object]) -> Outcome | Failure:
    try:
        value = work()
        return Outcome(value, _peak_memory_bytes(), _cpu_seconds())
    except _TerminatedError:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever it is, even SystemExit, the parent raises it
        return _failure(error)


def _call(call: Call, channel: Channel) -> Any:
    if call.memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (call.memory_bytes, call.memory_bytes))
    module, _, name = call.function.partition(":")
    progress = RemoteProgress(channel)
    value = getattr(importlib.import_module(module), name)(call.request, progress)
    progress.flush()
    return value


def _open(message: Open, channel: Channel, opened: list[Session]) -> Opened:
    session: Session = _call(message.call, channel)
    opened.append(session)
    return Opened(tuple(session.inputs), tuple(session.outputs))


def _ask(session: Session, message: object) -> object:
    if isinstance(message, Run):
        return session.run(message.feeds)
    assert isinstance(message, Place)
    return session.placement()


def _failure(error: BaseException) -> Failure:
    attributes = {key: value for key, value in vars(error).items() if isinstance(value, (str, int, float))}
    known = [kind for kind in type(error).__mro__ if getattr(errors, kind.__name__, None) is kind]
    return Failure(
        kind=known[0].__name__ if known else type(error).__name__,
        message=str(error),
        traceback="".join(traceback.format_exception(type(error), error, error.__traceback__)),
        is_edgekit_error=bool(known),
        attributes=attributes if known else {},
        os_error=_os_error(error),
    )


def _os_error(error: BaseException) -> tuple[int, str, str | None] | None:
    if not isinstance(error, OSError) or error.errno not in _DISK_REFUSALS:
        return None
    return error.errno, error.strerror or str(error), None if error.filename is None else str(error.filename)


def _peak_memory_bytes() -> int:
    """Largest resident size of this process or of a child of it that has ended.

    Linux counts the parent's memory at the start into a new process's ru_maxrss, so its own figure is read from /proc.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    status = Path("/proc/self/status")
    if status.exists():
        own = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class _TerminatedError(BaseException):
    """The parent asked this process to end; a BaseException so that no library swallows it."""


def _raise_terminated(_signal: int, _frame: object) -> NoReturn:
    raise _TerminatedError


def _end_with_parent(lifeline_fd: int, folder: str, orphaned: threading.Event) -> None:
    """Wait until the parent is gone, however it ended; then end this process and its group."""
    os.read(lifeline_fd, 1)
    orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    _end_group(folder)


def _end_group(folder: str) -> None:
    """What the parent would do: remove the temporary files and end whatever this process started, itself included."""
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(os.getpgid(0), signal.SIGKILL)
