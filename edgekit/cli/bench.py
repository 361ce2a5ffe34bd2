"""``edgekit bench``: files timed side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.bench_result import BenchResult, GroupResult
from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.parameters import CONFIDENCE, COUNTS, SECONDS, SHARE
from edgekit.cli.shared_options import delegate_option, device_option, gate_options, gates_from, together
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.bench_plan import BenchPlan, BenchRecord
    from edgekit.device_group import BoardAnswer
    from edgekit.devices.address import Address
    from edgekit.gates import FallbackLimit
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
    if suite is not None:
        return _suite(console, suite, models, data, plan, device)
    if not plan.files:
        raise UsageError("there is nothing to time; name model files, or --suite mlperf-tiny --models FOLDER")
    answers = _measured(console, plan, device, journal, group)
    for answer in answers:
        if answer.record is not None:
            write_files(answer, _of_board(csv_file, answer, group), _of_board(html_file, answer, group))
            if record or store is not None:
                _keep(answer.record, store, label)
    if group is None:
        [only] = answers
        assert only.record is not None
        console.show(BenchResult(only.record))
        return only.record.exit_code
    console.show(GroupResult(group, answers))
    return max(1 if answer.record is None else answer.record.exit_code for answer in answers)


def _suite(
    console: Console, suite: str, models: Path | None, data: Path | None, plan: BenchPlan, device: Address | None
) -> int:
    from edgekit.cli.suite_result import SuiteResult
    from edgekit.place import reached
    from edgekit.suite import run_suite

    if models is None or not models.is_dir() or plan.files:
        raise UsageError("--suite takes the files in a folder: give --models FOLDER, and no FILE")
    with reached(device) as place:
        console.show(SuiteResult(run_suite(suite, models, data, plan, place, console.progress)))
    return 0


def _measured(
    console: Console,
    plan: BenchPlan,
    device: Address | None,
    journal: Path | None,
    group: str | None,
) -> tuple[BoardAnswer, ...]:
    """What each board found; one answer without a name where there is no group."""
    from edgekit.bench_plan import carry_out
    from edgekit.device_group import BoardAnswer, run_group
    from edgekit.place import reached

    if journal is not None and device is None:
        raise UsageError("--resume goes on with work on a device; give --device too")
    if group is not None:
        if device is not None:
            raise UsageError("--device and --device-group exclude one another")
        from edgekit.devices.inventory import Inventory

        addresses = [entry.address for entry in Inventory.load().group(group)]
        return run_group(plan, addresses, console.boards())
    with reached(device, journal) as place:
        record = carry_out(plan, place, console.progress)
    if journal is not None:
        journal.unlink(missing_ok=True)
    return (BoardAnswer("", record),)


def _of_board(path: Path | None, answer: BoardAnswer, group: str | None) -> Path | None:
    """Each board of a group has a file of its own: times.csv becomes times.kitchen.csv."""
    return path if path is None or group is None else path.with_suffix(f".{answer.device}{path.suffix}")


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


def write_files(answer: BoardAnswer, csv_file: Path | None, html_file: Path | None) -> None:
    """What was asked for beside the text."""
    from edgekit.artifact import written_whole
    from edgekit.bench_document import csv_text, document
    from edgekit.bench_html import html

    assert answer.record is not None
    for path, draw in ((csv_file, csv_text), (html_file, html)):
        if path is not None:
            with written_whole(path) as part:
                part.write_text(draw(document(answer.record)), "utf-8")
