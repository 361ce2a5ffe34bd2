"""The parent's side of one child process: start it, listen to it, tell how it ended, leave nothing behind."""

from __future__ import annotations

import collections
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, NoReturn

from edgekit import errors
from edgekit.errors import EdgekitError, StageCrashError
from edgekit.isolation.child import STACK_FILE
from edgekit.isolation.host import Host, ThisMachine
from edgekit.isolation.messages import Failure, Limits, Outcome, StageBegan, Stepped
from edgekit.isolation.wire import Channel
from edgekit.protocols import Progress

_GRACE_SECONDS = 3.0
_LINES_KEPT = 60
_LINES_SHOWN = 12
_LONGEST_LINE = 300


class ChildProcess:
    """A fresh Python interpreter with its own process group and its own folder for temporary files.

    It ends with its parent, however the parent ends. What it prints goes to the message of a crash, never to our output.
    """

    def __init__(self, limits: Limits, stage: str, host: Host | None = None) -> None:
        self._limits = limits
        self._stage = stage
        self._host = host or ThisMachine()
        self._last_lines: collections.deque[str] = collections.deque(maxlen=_LINES_KEPT)
        self._ended = False
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._started = self._host.start(theirs)
        except BaseException:
            ours.close()
            raise
        self._process = self._started.process
        self._channel = Channel(ours)
        self._listener = threading.Thread(target=self._listen, args=(self._started.output,), daemon=True)
        self._listener.start()

    def ask(self, message: object, progress: Progress) -> Outcome:
        """The child's answer. Raises its EdgekitError, or StageCrashError when there is none."""
        if self._ended:
            raise StageCrashError(f"{self._stage} has ended and answers no more.")
        deadline = None if self._limits.seconds is None else time.monotonic() + self._limits.seconds
        try:
            with contextlib.suppress(ConnectionError):
                self._channel.send(message)
            return self._await_answer(progress, deadline)
        except EOFError:
            self._raise_crash()
        except KeyboardInterrupt:
            self.stop()
            raise
        except TimeoutError:
            self.stop()
            raise StageCrashError(
                f"{self._stage} took more than {self._limits.seconds:g} s, the limit, and was stopped."
            ) from None

    def stop(self) -> None:
        """End the child and whatever it started; remove its temporary files. May be called again."""
        self._channel.close()
        if self._process.poll() is None:
            self._end_group()
        if not self._ended and self._started.lifeline >= 0:
            os.close(self._started.lifeline)
        self._ended = True
        self._process.wait()
        self._listener.join(_GRACE_SECONDS)
        if not self._listener.is_alive():
            self._started.output.close()
        if self._started.folder is not None:
            shutil.rmtree(self._started.folder, ignore_errors=True)

    def close_gently(self) -> None:
        """Let the child end by itself at the end of the conversation, then `stop`."""
        self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        self.stop()

    def _await_answer(self, progress: Progress, deadline: float | None) -> Outcome:
        while True:
            message = self._channel.receive(deadline)
            if isinstance(message, StageBegan):
                self._stage = message.name
                progress.stage(message.name, message.total)
            elif isinstance(message, Stepped):
                progress.step(message.count)
            elif isinstance(message, Failure):
                self._raise_failure(message)
            else:
                assert isinstance(message, Outcome)
                return message

    def _raise_failure(self, failure: Failure) -> NoReturn:
        cause = ChildTracebackError(failure.traceback)
        if failure.is_edgekit_error:
            kind = getattr(errors, failure.kind)
            # Not the constructor: several kinds build their message from other arguments.
            error: EdgekitError = kind.__new__(kind, failure.message)
            for name, value in failure.attributes.items():
                setattr(error, name, value)
            raise error from cause
        if failure.os_error is not None:
            raise OSError(*failure.os_error) from cause
        if failure.kind == "MemoryError":
            raise StageCrashError(f"{self._stage} ran out of memory{self._limit_words()}.") from cause
        raise StageCrashError(f"{self._stage} failed with {failure.kind}: {failure.message}") from cause

    def _raise_crash(self) -> NoReturn:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        self._listener.join(_GRACE_SECONDS)
        lines = [*self._last_lines]
        if (broken := self._host.broken(self._process.poll(), lines)) is not None:
            raise broken
        said = "".join(f"\n  {line[:_LONGEST_LINE]}" for line in lines[-_LINES_SHOWN:])
        after = f" The last lines it wrote:{said}" if said else " It wrote nothing."
        how = _ending(self._process.poll())
        raise StageCrashError(f"{self._stage} crashed: {how}{self._limit_words()}.{after}") from self._stack()

    def _stack(self) -> ChildTracebackError | None:
        """Where Python was when native code crashed, if the child left that here."""
        stack = Path(self._started.folder or "", STACK_FILE)
        return ChildTracebackError(stack.read_text("utf-8", "replace")) if stack.exists() else None

    def _limit_words(self) -> str:
        limit = self._limits.memory_bytes
        return "" if limit is None else f" (its memory is limited to {limit / 1e6:.0f} MB)"

    def _listen(self, stream: IO[bytes]) -> None:
        for line in stream:
            if words := line.decode(errors="replace").rstrip():
                self._last_lines.append(words)

    def _end_group(self) -> None:
        """Ask first, so that half-written files are removed; native code that doesn't listen is killed."""
        _signal_group(self._process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        _signal_group(self._process, signal.SIGKILL)


class ChildTracebackError(Exception):
    """The traceback of a child process, shown as the cause of the error raised here."""

    def __str__(self) -> str:
        return f"in the child process:\n{self.args[0]}"


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _ending(code: int | None) -> str:
    if code is None:
        return "the process that ran it broke off the conversation"
    if code >= 0:
        return f"the process that ran it ended with exit code {code}"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return f"the process that ran it was killed ({name}), most likely by the system for lack of memory"
    return f"native code ended the process that ran it by signal {-code} ({name})"
