"""What native code prints past Python, on the process's own stdout and stderr, kept for the message that it belongs into."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, final

_STDOUT, _STDERR = 1, 2
_ONE_AT_A_TIME = threading.Lock()


@final
class Messages:
    """The text that was printed; complete when the block has ended."""

    def __init__(self) -> None:
        self.text = ""

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(line.strip() for line in self.text.splitlines() if line.strip())

    def __str__(self) -> str:
        return "; ".join(self.lines)


def caught() -> AbstractContextManager[Messages]:
    """Keep the process's standard error stream from the terminal while the block runs.

    For short calls, one block at a time; others wait. Other threads' words go the same way. Where the process has no such
    stream, nothing is kept.
    """
    return _kept((_STDERR,))


def caught_with_output() -> AbstractContextManager[Messages]:
    """As `caught`, and its standard output: some vendors' libraries greet there, in the middle of what a command writes."""
    return _kept((_STDOUT, _STDERR))


@contextmanager
def _kept(streams: tuple[int, ...]) -> Iterator[Messages]:
    messages = Messages()
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as file:
        try:
            saved = [(stream, os.dup(stream)) for stream in streams]
        except OSError:
            yield messages
            return
        try:
            _flush()
            for stream, _ in saved:
                os.dup2(file.fileno(), stream)
            yield messages
        finally:
            _flush()
            for stream, own in saved:
                os.dup2(own, stream)
                os.close(own)
            messages.text = _read(file)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _read(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
