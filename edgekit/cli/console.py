"""`Console`: results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from edgekit.cli.progress import TerminalProgress
    from edgekit.protocols import Progress
    from edgekit.table import Table


class Shown(Protocol):
    """A command's result. Exists so that each result is printed as JSON or as text by one and the same call."""

    def to_json(self) -> str:
        """One JSON document with a ``schema`` entry."""

    def sections(self) -> Sequence[Table | str]:
        """The same for people: tables and lines of text, in order."""


class ReaderGoneError(Exception):
    """Whoever read our stdout has closed it. Not an OSError: click would answer that one itself, with exit code 1."""


class Console:
    """Where a command's words go. ``json``, ``quiet`` and ``debug`` are set by the options of these names."""

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.json = False
        self.quiet = False
        self.debug = False
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._progress: TerminalProgress | None = None

    def show(self, result: Shown) -> None:
        """Print a result: one JSON document with --json, tables and text without. The work it came from is over."""
        self.end_progress()
        if self.json:
            self.out(result.to_json().rstrip("\n"))
            return
        for section in result.sections():
            self.out(section if isinstance(section, str) else self._rendered(section))

    def out(self, text: str) -> None:
        """A line of the result itself, on stdout."""
        if self._progress is not None:
            self._progress.interrupt()
        try:
            print(text, file=self._stdout)
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def note(self, text: str) -> None:
        """A remark for people, on stderr; none with --quiet."""
        if not self.quiet:
            self.error_text(text)

    def warn(self, text: str) -> None:
        """Something the user should know although the work went on."""
        self.error_text(f"warning: {text}")

    def error(self, text: str) -> None:
        self.error_text(f"error: {text}")

    def error_text(self, text: str) -> None:
        """A line on stderr, below the progress line if one is being drawn."""
        if self._progress is not None:
            self._progress.interrupt()
        print(text, file=self._stderr)

    @property
    def progress(self) -> Progress:
        """Draws on stderr; says nothing with --quiet or where stderr is not a terminal."""
        if self.quiet or not self._stderr.isatty():
            from edgekit.protocols import Silent

            return Silent()
        if self._progress is None:
            from edgekit.cli.progress import TerminalProgress

            self._progress = TerminalProgress(self._stderr)
        return self._progress

    def boards(self) -> Callable[[str, str], None]:
        """Draws what several boards are doing, in one line on stderr; says nothing where `progress` wouldn't."""
        if self.quiet or not self._stderr.isatty():
            return lambda board, doing: None
        from edgekit.cli.progress import BoardsProgress

        return BoardsProgress(self._stderr).tell

    def end_progress(self) -> None:
        if self._progress is not None:
            self._progress.end()

    def flush(self) -> None:
        try:
            self._stdout.flush()
        except BrokenPipeError as error:
            raise ReaderGoneError from error
        self._stderr.flush()

    def _rendered(self, table: Table) -> str:
        """Drawn by rich on a terminal that has it, aligned text otherwise."""
        if self._stdout.isatty():
            from edgekit.cli.rich_table import drawn

            return drawn(table, self._stdout) or table.to_text()
        return table.to_text()
