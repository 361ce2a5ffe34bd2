"""Results on stdout, words on stderr, progress only for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.cli.console import Console
from edgekit.cli.progress import TerminalProgress
from edgekit.protocols import Silent
from edgekit.table import Table, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Result:
    def to_json(self) -> str:
        return '{"schema": "edgekit.result/1"}\n'

    def sections(self) -> Sequence[Table | str]:
        return ["a line", table("name,>size", [("net", "12"), ("network", "3")])]


def test_a_result_is_text_by_default() -> None:
    out = io.StringIO()
    Console(out, io.StringIO()).show(Result())
    assert out.getvalue() == "a line\nname     size\n-------  ----\nnet        12\nnetwork     3\n"


def test_json_prints_the_document_alone() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.json = True
    console.note("remark")
    console.show(Result())
    assert out.getvalue() == '{"schema": "edgekit.result/1"}\n'
    assert err.getvalue() == "remark\n"


def test_a_terminal_gets_a_drawn_table_with_the_same_cells() -> None:
    out = Terminal()
    Console(out, io.StringIO()).show(Result())
    assert all(cell in out.getvalue() for cell in ("name", "network", "12"))


def test_quiet_leaves_warnings_and_drops_notes() -> None:
    err = Terminal()
    console = Console(io.StringIO(), err)
    console.quiet = True
    console.note("remark")
    console.warn("odd")
    assert err.getvalue() == "warning: odd\n"
    assert isinstance(console.progress, Silent)


def test_no_progress_where_stderr_is_no_terminal() -> None:
    assert isinstance(Console(io.StringIO(), io.StringIO()).progress, Silent)


def test_a_stage_draws_its_steps_in_place_and_leaves_one_line() -> None:
    times = iter([0.0, 0.0, 0.5, 0.5, 0.55, 1.0, 1.0, 1.0, 1.0, 1.0])
    stream = Terminal()
    progress = TerminalProgress(stream, lambda: next(times))
    progress.stage("calibrate", 10)
    progress.step(5)
    progress.step(1)  # too soon after the last one to be drawn
    progress.end()
    lines = stream.getvalue().split("\r\x1b[K")
    assert "[............] 0/10" in lines[1].replace("." * 24, "." * 12)
    assert "5/10  0.5 s" in lines[2]
    assert lines[-1].endswith("6/10  1.0 s\n")
    assert len(lines) == 4


def test_a_result_comes_below_the_finished_progress_line() -> None:
    stream = Terminal()
    console = Console(stream, stream)
    console.progress.stage("read")
    console.show(Result())
    progress, _, result = stream.getvalue().partition(" s\n")
    assert "read" in progress
    assert result.startswith("a line\n")


def test_a_message_clears_the_progress_line_first() -> None:
    err = Terminal()
    console = Console(io.StringIO(), err)
    console.progress.stage("read")
    console.warn("odd")
    assert "\r\x1b[Kwarning: odd\n" in err.getvalue()
