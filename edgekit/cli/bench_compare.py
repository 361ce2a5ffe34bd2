"""``edgekit bench compare``: whether two runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.parameters import CONFIDENCE, SHARE
from edgekit.json_text import json_text, plain
from edgekit.table import Table, table

if TYPE_CHECKING:
    from edgekit.comparison import Comparison, Difference

SCHEMA = "edgekit.comparison/1"


@dataclass(frozen=True, slots=True)
class CompareResult:
    """A `Comparison` for output."""

    comparison: Comparison

    def to_json(self) -> str:
        return json_text({"schema": SCHEMA, **plain(self.comparison), "exit_code": self.comparison.exit_code})

    def sections(self) -> Sequence[Table | str]:
        found = self.comparison
        columns = f"what,>old ms,>new ms,>ratio,>{100 * found.confidence:g} % interval,verdict"
        lines = [f"{one.what}: {self._limit_text(one)}" for one in found.differences if one.regression or one.undecided]
        return [table(columns, [_row(one) for one in found.differences]), "", *lines, *found.remarks]

    def _limit_text(self, one: Difference) -> str:
        limit = f"{100 * (self.comparison.limit or 0):g} %"
        if one.regression:
            return f"slower by more than {limit}"
        return f"a slowdown of more than {limit} can't be ruled out; measure longer or in more processes"


@command(example="edgekit bench compare before.json after.json --limit-regression 3%")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--confidence", type=CONFIDENCE, default=0.95, show_default="95%", help="Of the interval of each ratio.")
@click.option("--limit-regression", "limit", type=SHARE, help="Largest slowdown allowed, as in 3%. [default: none]")
def compare(console: Console, old: Path, new: Path, confidence: float, limit: float | None) -> int:
    """Say whether the times of two runs of bench differ.

    OLD and NEW are what edgekit bench --json printed. A difference is real where the interval of the ratio does not hold 1.
    Ends with 1 where a file is slower for certain, and by more than --limit-regression.
    """
    from edgekit.comparison import compare as compare_files

    found = compare_files(old, new, confidence=confidence, limit=limit)
    console.show(CompareResult(found))
    return found.exit_code


def _row(one: Difference) -> tuple[str, ...]:
    return (
        one.what,
        f"{one.old_ns / 1e6:.4g}",
        f"{one.new_ns / 1e6:.4g}",
        f"{one.ratio.value:.3f}",
        f"{one.ratio.low:.3f}..{one.ratio.high:.3f}",
        one.verdict.value,
    )
