"""What native code says on the standard error stream, caught for the error message that it belongs into."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

_STDERR = 2


@final
class Messages:
    """The lines that were said; complete when the block of `caught` has ended."""

    def __init__(self) -> None:
        self.lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join(self.lines)


@contextmanager
def caught() -> Iterator[Messages]:
    """Keep the process's standard error stream from the terminal while the block runs. For short calls: other threads' words go
    the same way.
    """
    messages = Messages()
    sys.stderr.flush()
    saved = os.dup(_STDERR)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), _STDERR)
        try:
            yield messages
        finally:
            os.dup2(saved, _STDERR)
            os.close(saved)
            file.seek(0)
            text = file.read().decode("utf-8", "replace")
            messages.lines = tuple(line.strip() for line in text.splitlines() if line.strip())
