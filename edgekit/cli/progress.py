"""Progress drawn on a terminal: one line a stage, redrawn in place."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from typing import TextIO

REDRAW_SECONDS = 0.1
BAR_WIDTH = 24


class TerminalProgress:
    """A `edgekit.protocols.Progress` for a terminal. A finished stage leaves its line with the seconds it took."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._name = ""
        self._total: int | None = None
        self._done = 0
        self._began = self._drawn = 0.0
        self._on_line = False

    def stage(self, name: str, total: int | None = None) -> None:
        self.end()
        self._name, self._total, self._done = name, total, 0
        self._began = self._clock()
        self._draw()

    def step(self, count: int = 1) -> None:
        self._done += count
        if self._clock() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def interrupt(self) -> None:
        """Clear the line so that a message can be printed; the next step draws it again."""
        if self._on_line:
            self._stream.write("\r\x1b[K")
            self._on_line = False

    def end(self) -> None:
        """Leave the current stage's line as it is and go to the next."""
        if self._name:
            self._draw()
            self._stream.write("\n")
            self._stream.flush()
            self._name, self._on_line = "", False

    def _draw(self) -> None:
        self._drawn = self._clock()
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\x1b[K" + self._line()[:width])
        self._stream.flush()
        self._on_line = True

    def _line(self) -> str:
        seconds = f"{self._drawn - self._began:.1f} s"
        if not self._total:
            count = f"  {self._done}" if self._done else ""
            return f"{self._name:<28}{count}  {seconds}"
        filled = min(BAR_WIDTH, BAR_WIDTH * self._done // self._total)
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        return f"{self._name:<28}  [{bar}] {self._done}/{self._total}  {seconds}"


class BoardsProgress:
    """What each of several boards is doing, told by their threads and drawn as one line; a board that ends leaves a line."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._doing: dict[str, str] = {}
        self._drawn = 0.0
        self._lock = threading.Lock()

    def tell(self, board: str, doing: str) -> None:
        with self._lock:
            self._doing[board] = doing
            if doing in ("done", "failed"):
                self._stream.write(f"\r\x1b[K{board}: {doing}\n")
                del self._doing[board]
            elif self._clock() - self._drawn < REDRAW_SECONDS:
                return
            self._draw()

    def _draw(self) -> None:
        self._drawn = self._clock()
        width = shutil.get_terminal_size().columns - 1
        line = "  ".join(f"{board}: {doing}" for board, doing in self._doing.items())
        self._stream.write("\r\x1b[K" + line[:width])
        self._stream.flush()
