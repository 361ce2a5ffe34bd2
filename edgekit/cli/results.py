"""``edgekit results``: what was measured when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.shared_options import together
from edgekit.errors import UsageError
from edgekit.json_text import json_text
from edgekit.table import Table, table

if TYPE_CHECKING:
    from edgekit.results_store import Answer, ResultsStore, Selection, StoredResult

SCHEMA = "edgekit.results/1"
QUERY_SCHEMA = "edgekit.query/1"


@dataclass(frozen=True, slots=True)
class ResultList:
    """Stored results."""

    results: tuple[StoredResult, ...]
    schema: str = SCHEMA

    def to_json(self) -> str:
        return json_text(self)

    def sections(self) -> Sequence[Table | str]:
        if not self.results:
            return ["No results yet. Keep some: edgekit bench FILE... --record"]
        rows = [
            (
                str(one.run), one.at, one.label, one.device, one.file,
                f"{one.runtime} {one.delegates}".rstrip(), str(one.threads),
                f"{one.p50_ns / 1e6:.4g}", f"{one.p50_low_ns / 1e6:.4g}..{one.p50_high_ns / 1e6:.4g}",
                f"{one.samples_per_second:.4g}",
            )
            for one in self.results
        ]  # fmt: skip
        return [table(">run,at,label,device,file,runtime,>threads,>p50 ms,>interval,>samples/s", rows)]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a SELECT."""

    answer: Answer

    def to_json(self) -> str:
        return json_text({"schema": QUERY_SCHEMA, "columns": self.answer.columns, "rows": self.answer.rows})

    def sections(self) -> Sequence[Table | str]:
        rows = [tuple("" if cell is None else str(cell) for cell in row) for row in self.answer.rows]
        return [table(",".join(name.replace(",", " ") for name in self.answer.columns), rows)]


store_option = click.option(
    "--store", "store", type=click.Path(path_type=Path), help="The file. [default: results.sqlite in the data folder]"
)

selection_options = together(
    click.option("--file", "file", default="", help="Files of this name; * stands for anything."),
    click.option("--device", "device", default="", help="Devices of this name."),
    click.option("--runtime", "runtime", default="", help="Runtimes of this name."),
    click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="The newest so many."),
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample: edgekit results plot --file 'resnet*' -o trend.html",
)
def results() -> None:
    """List, query and plot what bench measured over time.

    edgekit bench --record puts results into an SQLite file; edgekit results add puts documents of edgekit bench --json there.
    """


@command(name="add", example="edgekit results add bench.json --label v1.2")
@click.argument("documents", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--label", default="", help="What to call the run: a version, a commit.")
@store_option
def add(console: Console, documents: tuple[Path, ...], label: str, store: Path | None) -> None:
    """Keep documents that edgekit bench --json printed."""
    from edgekit.bench_document import read_document

    opened = opened_store(store)
    for document in [read_document(path) for path in documents]:
        keep(opened, document, label)
    console.show(ResultList(opened.results()))


@command(name="list", example="edgekit results list --file '*.tflite' --device kitchen")
@selection_options
@store_option
def list_results(console: Console, file: str, device: str, runtime: str, limit: int, store: Path | None) -> None:
    """List what was measured, oldest first."""
    console.show(ResultList(opened_store(store).results(_selection(file, device, runtime, limit))))


@command(name="query", example="edgekit results query 'SELECT file, min(p50_ns) FROM results GROUP BY file'")
@click.argument("sql")
@store_option
def query(console: Console, sql: str, store: Path | None) -> None:
    """Answer a SELECT over the tables runs and results (docs/benchmark.md)."""
    console.show(QueryResult(opened_store(store).query(sql)))


@command(name="plot", example="edgekit results plot --file 'resnet*' -o trend.html", json=False)
@selection_options
@click.option("-o", "--output", "output", required=True, type=click.Path(path_type=Path), help="The page to write.")
@store_option
def plot(console: Console, file: str, device: str, runtime: str, limit: int, output: Path, store: Path | None) -> None:
    """Draw latencies over time, a chart a file and runtime, a line a device, as one HTML page."""
    from edgekit.artifact import written_whole
    from edgekit.trends import trend_page

    found = opened_store(store).results(_selection(file, device, runtime, limit))
    if not found:
        raise UsageError("no stored result fits; edgekit results list shows those there are")
    with written_whole(output) as part:
        part.write_text(trend_page(found), "utf-8")
    console.note(f"wrote {output} ({len(found)} results)")


def opened_store(path: Path | None) -> ResultsStore:
    """The store at ``path``, else the user's."""
    from edgekit.results_store import ResultsStore, store_path

    return ResultsStore(path or store_path())


def keep(store: ResultsStore, document: dict[str, Any], label: str) -> None:
    """Put a document into the store, with the present time."""
    store.add(document, datetime.now(timezone.utc).isoformat(timespec="seconds"), label)


def _selection(file: str, device: str, runtime: str, limit: int) -> Selection:
    from edgekit.results_store import Selection

    return Selection(file, device, runtime, limit)


for _command in (add, list_results, query, plot):
    results.add_command(_command)
