"""``edgekit bench``: files timed side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.bench_result import BenchResult, GroupResult
from edgekit.cli.command import command
from edgekit.cli.console import Console, Shown
from edgekit.cli.parameters import CONFIDENCE, COUNTS, SECONDS, SHARE
from edgekit.cli.shared_options import delegate_option, device_option, gate_options, gates_from, together
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.bench_plan import BenchPlan, BenchRecord
    from edgekit.cli.suite_result import SuiteResult
    from edgekit.device_group import BoardAnswer
    from edgekit.devices.address import Address
    from edgekit.gates import FallbackLimit
    from edgekit.place import Place
    from edgekit.protocols import Delegate


what_options = together(
    click.option(
        "--runtime",
        "runtimes",
        metavar="NAME",
        multiple=True,
        help="Repeatable. [default: first installed for the format]",
    ),
    click.option("--threads", type=COUNTS, default=(1,), show_default="1", help="Threads of a runtime, as in 1,2,4."),
    click.option(
        "--scenario",
        type=click.Choice(["single-stream", "offline"]),
        default="single-stream",
        show_default=True,
        help="One query after the other, or a queue as fast as can be, with a stream a core too.",
    ),
    click.option(
        "--batch", "batches", type=COUNTS, default=(), help="Samples of a run, as in 1,8. [default: the file's]"
    ),
    click.option(
        "--streams", type=COUNTS, default=(), help="Sessions at work at once. [default: 1; offline 1 and cores]"
    ),
    click.option("--input", "samples", metavar="SAMPLES", help="Time on the first sample of these. [default: random]"),
)

length_options = together(
    click.option("--min-seconds", type=SECONDS, default=2.0, show_default=True, help="Measured time of each file."),
    click.option(
        "--max-seconds", type=SECONDS, default=60.0, show_default=True, help="Give up on a file after so long."
    ),
    click.option(
        "--processes",
        type=click.IntRange(1),
        default=10,
        show_default=True,
        help="Spread the measuring over so many processes; the intervals come from their spread.",
    ),
    click.option(
        "--starts", type=click.IntRange(1), default=3, show_default=True, help="Starts measured, warm and cold."
    ),
    click.option("--confidence", type=CONFIDENCE, default=0.95, show_default="95%", help="Of all intervals."),
    click.option(
        "--percentile",
        type=SHARE,
        default=0.9,
        show_default="90%",
        help="Go on until MLPerf's rule allows this one: 64 runs for 90%, 662 for 99%.",
    ),
)

more_options = together(
    click.option("--profile", is_flag=True, help="Add the time of each op of the runtime's own graph."),
    click.option("--energy", is_flag=True, help="Add energy a run, where the board tells power."),
    click.option("--sustained", type=SECONDS, help="Then run each file without a pause for so long, as in 30min."),
    click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write the results as CSV too."),
    click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write a page with plots too."),
    click.option("--record", is_flag=True, help="Keep the results in the user's store (edgekit results)."),
    click.option("--store", type=click.Path(path_type=Path), help="Keep the results in this store."),
    click.option("--label", default="", help="What the store calls the run: a version, a commit."),
    click.option("--keep-samples", is_flag=True, help="Put the time of every single run into the JSON."),
)


@command(example="edgekit bench out/model.int8.tflite out/model.int8.onnx --threads 1,2 --json")
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path(path_type=Path))
@what_options
@length_options
@gate_options
@delegate_option
@device_option
@click.option(
    "--resume",
    "journal",
    metavar="JOURNAL",
    type=click.Path(path_type=Path),
    help="Keep what a device answers in this file until all is done, and go on from there after it was lost.",
)
@click.option(
    "--suite", type=click.Choice(["mlperf-tiny"]), help="Time and check the files of a suite instead of FILEs."
)
@click.option("--models", type=click.Path(path_type=Path), help="The folder with the suite's files.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="The folder with the suite's samples (docs/benchmark.md)."
)
@click.option("--device-group", "group", metavar="GROUP", help="On all devices of this group at once, one job each.")
@more_options
def bench(
    console: Console,
    device: Address | None,
    journal: Path | None,
    suite: str | None,
    models: Path | None,
    data: Path | None,
    group: str | None,
    csv_file: Path | None,
    html_file: Path | None,
    record: bool,
    store: Path | None,
    label: str,
    **options: Any,
) -> int:
    """Time model files against one another.

    The files take turns in random order, so that what slows the machine down hits all of them. Ratios are to the first
    FILE, a sample. Intervals are those in which another run's figure would lie. Load time and peak memory are measured in
    processes of their own. `edgekit bench compare OLD.json NEW.json` says whether two runs differ. Ends with 1 when a limit
    on where the ops run is broken.
    """
    plan = plan_of(**options)
    if suite is None and (models is not None or data is not None):
        raise UsageError("--models and --data are a suite's folders; add --suite mlperf-tiny")
    if label and not record and store is None:
        raise UsageError("--label is what the store calls the run; add --record or --store")
    if journal is not None and device is None:
        raise UsageError("--resume goes on with work on a device; give --device too")
    answers: tuple[BoardAnswer, ...]
    result: Shown
    if group is not None:
        answers, result = _on_group(console, plan, group, device, suite)
    else:
        with _at(device, journal) as place:
            answers, result = (
                _on_one(console, plan, place) if suite is None else _suite(console, suite, models, data, plan, place)
            )
    for answer in answers:
        if answer.record is not None:
            write_files(answer.record, _of_board(csv_file, answer), _of_board(html_file, answer))
            if record or store is not None:
                _keep(answer.record, store, label)
    console.show(result)
    return max(1 if answer.record is None else answer.record.exit_code for answer in answers)


@contextmanager
def _at(device: Address | None, journal: Path | None) -> Iterator[Place]:
    """The place, which keeps its answers in the journal until all is done."""
    from edgekit.place import reached

    with reached(device, journal) as place:
        yield place
    if journal is not None:
        journal.unlink(missing_ok=True)


def _on_one(console: Console, plan: BenchPlan, place: Place) -> tuple[tuple[BoardAnswer, ...], BenchResult]:
    from edgekit.bench_plan import carry_out
    from edgekit.device_group import BoardAnswer

    if not plan.files:
        raise UsageError("there is nothing to time; name model files, or --suite mlperf-tiny --models FOLDER")
    record = carry_out(plan, place, console.progress)
    return (BoardAnswer("", record),), BenchResult(record)


def _suite(
    console: Console, suite: str, models: Path | None, data: Path | None, plan: BenchPlan, place: Place
) -> tuple[tuple[BoardAnswer, ...], SuiteResult]:
    from edgekit.cli.suite_result import SuiteResult
    from edgekit.device_group import BoardAnswer
    from edgekit.suite import run_suite

    if models is None or not models.is_dir() or plan.files:
        raise UsageError("--suite takes the files in a folder: give --models FOLDER, and no FILE")
    found = run_suite(suite, models, data, plan, place, console.progress)
    return (BoardAnswer("", found.bench),), SuiteResult(found)


def _on_group(
    console: Console, plan: BenchPlan, group: str, device: Address | None, suite: str | None
) -> tuple[tuple[BoardAnswer, ...], GroupResult]:
    from edgekit.device_group import run_group
    from edgekit.devices.inventory import Inventory

    if device is not None or suite is not None:
        raise UsageError("--device-group goes with neither --device nor --suite; run a suite on one --device at a time")
    if not plan.files:
        raise UsageError("there is nothing to time; name model files")
    answers = run_group(plan, [entry.address for entry in Inventory.load().group(group)], console.boards())
    return answers, GroupResult(group, answers)


def _of_board(path: Path | None, answer: BoardAnswer) -> Path | None:
    """Each board of a group has a file of its own: times.csv becomes times.kitchen.csv."""
    return path.with_suffix(f".{answer.device}{path.suffix}") if path is not None and answer.device else path


def _keep(record: BenchRecord, store: Path | None, label: str) -> None:
    from edgekit.bench_document import document
    from edgekit.cli.results import keep, opened_store

    keep(opened_store(store), document(record), label)


def plan_of(
    *,
    files: tuple[Path, ...],
    runtimes: tuple[str, ...],
    threads: tuple[int, ...],
    scenario: str,
    batches: tuple[int, ...],
    streams: tuple[int, ...],
    samples: str | None,
    min_seconds: float,
    max_seconds: float,
    processes: int,
    starts: int,
    confidence: float,
    percentile: float,
    profile: bool,
    energy: bool,
    sustained: float | None,
    keep_samples: bool,
    require_delegate: Sequence[str],
    limit_fallback: FallbackLimit | None,
    delegates: tuple[Delegate, ...],
) -> BenchPlan:
    """The options as a plan. Raises UsageError."""
    from edgekit.bench_plan import BenchPlan, Scenario
    from edgekit.latency import Timing

    if not 0.5 <= percentile < 1.0:
        raise UsageError(f"--percentile is {percentile:.4g}; expected 50% to 99.99%")
    return BenchPlan(
        files=files,
        scenario=Scenario(scenario),
        runtimes=runtimes,
        threads=threads,
        batches=batches,
        streams=streams,
        samples=samples,
        timing=Timing(min_seconds, max_seconds, confidence=confidence, percentile=percentile),
        processes=processes,
        starts=starts,
        profile=profile,
        energy=energy,
        sustained_seconds=sustained,
        keep_samples=keep_samples,
        delegates=delegates,
        gates=gates_from(require_delegate, limit_fallback),
    )


def write_files(record: BenchRecord, csv_file: Path | None, html_file: Path | None) -> None:
    """What was asked for beside the text."""
    from edgekit.artifact import written_whole
    from edgekit.bench_document import csv_text, document
    from edgekit.bench_html import html

    for path, draw in ((csv_file, csv_text), (html_file, html)):
        if path is not None:
            with written_whole(path) as part:
                part.write_text(draw(document(record)), "utf-8")
