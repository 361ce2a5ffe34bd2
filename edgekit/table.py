"""`Table`: rows for people, as a value that any output can draw."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Align(enum.Enum):
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    align: Align = Align.LEFT


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; every row has one cell a column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row has {len(row)} cells but the table {len(self.columns)} columns: {row}")

    def to_text(self) -> str:
        """Aligned plain text, two spaces between the columns, no trailing spaces."""
        widths = [
            max(len(cell) for cell in (column.name, *(row[n] for row in self.rows)))
            for n, column in enumerate(self.columns)
        ]
        header = tuple(column.name for column in self.columns)
        rule = tuple("-" * width for width in widths)
        lines = [self._line(cells, widths) for cells in (header, rule, *self.rows)]
        return "\n".join([self.title, *lines] if self.title else lines)

    def _line(self, cells: tuple[str, ...], widths: list[int]) -> str:
        aligned = [
            cell.rjust(width) if column.align is Align.RIGHT else cell.ljust(width)
            for cell, width, column in zip(cells, widths, self.columns, strict=True)
        ]
        return "  ".join(aligned).rstrip()


def table(columns: str, rows: Sequence[tuple[str, ...]], title: str = "") -> Table:
    """A table from column names separated by commas; a name that begins with ``>`` is aligned right."""
    made = tuple(
        Column(name.lstrip(">"), Align.RIGHT if name.startswith(">") else Align.LEFT) for name in columns.split(",")
    )
    return Table(made, tuple(rows), title)
