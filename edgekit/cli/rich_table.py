"""A `Table` drawn with rich, where that package is installed."""

from __future__ import annotations

from typing import TextIO

from edgekit.table import Align, Table


def drawn(table: Table, stream: TextIO) -> str | None:
    """The table with borders and the terminal's colours, or None when rich is not installed."""
    try:
        from rich import box
        from rich.console import Console as RichConsole
        from rich.table import Table as RichTable
        from rich.text import Text
    except ImportError:
        return None
    grid = RichTable(
        title=table.title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for column in table.columns:
        justify = "right" if column.align is Align.RIGHT else "left"
        grid.add_column(Text(column.name), justify=justify, overflow="fold")  # type: ignore[arg-type]  # a Literal
    for row in table.rows:
        grid.add_row(*(Text(cell) for cell in row))
    console = RichConsole(file=stream)
    with console.capture() as captured:
        console.print(grid)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    return "\n".join(line for line in lines if line)
