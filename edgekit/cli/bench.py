"""``edgekit bench``: files timed side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.parameters import SECONDS
from edgekit.cli.shared_options import delegate_option, device_option, gate_options, gates_from
from edgekit.errors import UsageError
from edgekit.json_text import json_text, plain
from edgekit.table import Table, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.artifact import TensorSpec
    from edgekit.benchmark import Benchmark, Contender, Timed
    from edgekit.devices.address import Address
    from edgekit.figures import PlacementSummary
    from edgekit.gates import FallbackLimit, PlacementGates
    from edgekit.place import Place
    from edgekit.protocols import Delegate, Progress
    from edgekit.quantiles import Quantile
    from edgekit.report import Limit

SCHEMA = "edgekit.bench/1"


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A `Benchmark` for output. ``keep_samples`` adds every single run to the JSON."""

    benchmark: Benchmark
    keep_samples: bool
    placements: Mapping[str, PlacementSummary] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()

    @property
    def exit_code(self) -> int:
        return 0 if all(limit.passed for limit in self.limits) else 1

    def to_json(self) -> str:
        results = [plain(result) for result in self.benchmark.results]
        for result in results:
            del result["latency"]["rounds_ns"]
            if not self.keep_samples:
                del result["latency"]["samples_ns"]
        before, after = self.benchmark.before, self.benchmark.after
        device = self.benchmark.device
        limits = [plain(limit) | {"passed": limit.passed} for limit in self.limits]
        gates = {"placements": plain(self.placements), "limits": limits}
        return json_text(
            {"schema": SCHEMA, "device": device, "results": results, "before": before, "after": after, **gates}
        )

    def sections(self) -> Sequence[Table | str]:
        from edgekit.report_text import limit_line, placement_lines

        results = self.benchmark.results
        times = table(
            "file,runtime,>p50 ms,>95 % interval,>p90 ms,>p99 ms,>runs,>ratio,>its interval",
            [_times(result) for result in results],
        )
        costs = table(
            "file,>load ms,>start ms,>peak memory MB,>size KB", [_costs(result) for result in results], title="Opening"
        )
        unsteady = [
            f"{r.file} was still changing its pace when the warm-up ended." for r in results if not r.latency.steady
        ]
        return [
            times,
            "",
            costs,
            "",
            *unsteady,
            _state(self.benchmark, results[0].threads),
            *(line for name, placement in self.placements.items() for line in placement_lines(name, placement)),
            *(limit_line(limit) for limit in self.limits),
        ]


@command(example="edgekit bench out/model.int8.tflite out/model.int8.onnx --threads 1 --json")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the runtimes.")
@click.option("--min-seconds", type=SECONDS, default=2.0, show_default=True, help="Measured time of each file.")
@click.option("--max-seconds", type=SECONDS, default=60.0, show_default=True, help="Give up on a file after so long.")
@click.option("--input", "samples", metavar="SAMPLES", help="Time on the first sample of these. [default: random]")
@click.option("--runtime", metavar="NAME", help="Runtime of every file. [default: first installed for its format]")
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
@click.option("--keep-samples", is_flag=True, help="Put the time of every single run into the JSON.")
def bench(
    console: Console,
    files: tuple[Path, ...],
    threads: int,
    min_seconds: float,
    max_seconds: float,
    samples: str | None,
    runtime: str | None,
    require_delegate: Sequence[str],
    limit_fallback: FallbackLimit | None,
    delegates: tuple[Delegate, ...],
    device: Address | None,
    journal: Path | None,
    keep_samples: bool,
) -> int:
    """Time model files against one another.

    The files take turns in random order, so that what slows the machine down hits all of them. Ratios are to the first
    FILE. Load time and peak memory are measured in processes of their own. Ends with 1 when a limit on where the ops run is
    broken.
    """
    from edgekit.benchmark import benchmark, contender
    from edgekit.latency import Timing
    from edgekit.place import reached

    if journal is not None and device is None:
        raise UsageError("--resume goes on with work on a device; give --device too")
    timing = Timing(min_seconds=min_seconds, max_seconds=max_seconds)
    with reached(device, journal) as place:
        contenders = [
            contender(file, runtime=runtime, threads=threads, delegates=delegates, place=place) for file in files
        ]
        if samples is not None:
            contenders = [_with_sample(each, samples, place) for each in contenders]
        measured = benchmark(contenders, timing, keep_samples=keep_samples, progress=console.progress, place=place)
        gates = gates_from(require_delegate, limit_fallback)
        placements = _placements(contenders, gates, place, console.progress) if gates else {}
    if journal is not None:
        journal.unlink(missing_ok=True)
    limits = tuple(limit for name, found in placements.items() for limit in gates.limits(name, found))
    result = BenchResult(measured, keep_samples, placements, limits)
    console.show(result)
    return result.exit_code


def _placements(
    contenders: Sequence[Contender], gates: PlacementGates, place: Place, progress: Progress
) -> dict[str, PlacementSummary]:
    """Where the ops of each file ran, by the file's name."""
    from edgekit.gates import judged_apart

    found = {}
    for each in contenders:
        session = place.open_file(each.path, each.runtime, each.options)
        found[str(each.path)] = judged_apart(session.placement(), each.path, each.options.delegates, gates, progress)
        session.close()
    return found


def _with_sample(contender: Contender, samples: str, place: Place) -> Contender:
    """The contender with the first of ``samples`` as its feeds, encoded as the file wants it; states begin a stream."""
    from edgekit.artifact import Artifact
    from edgekit.datasets import chunks_of, open_dataset, tokenizer_of
    from edgekit.encoding import Codec
    from edgekit.inference import Model

    session = place.open_file(contender.path, contender.runtime, contender.options)
    with Model(Artifact.open(contender.path), session, contender.runtime) as model:
        states = model.states
        dataset = open_dataset(
            samples,
            model.inputs,
            preprocess=model.preprocessing,
            labels="none",
            states=states,
            tokenizer=tokenizer_of(contender.path),
        )
        feeds = next((chunks_of(dataset, states) or dataset).batches(_batch(model.inputs))).feeds
        if len(feeds) < len(model.inputs):
            feeds = {**feeds, **model.stream().next_values(feeds)}
        encoded: dict[str, NDArray[Any]] = Codec.of(model.inputs, ()).encode(feeds)
    return dataclasses.replace(contender, feeds=encoded)


def _batch(inputs: Sequence[TensorSpec]) -> int:
    """Samples of one run: the file's fixed batch, or 1."""
    first = inputs[0].shape[0] if inputs[0].shape else 1
    return first if isinstance(first, int) else 1


def _times(result: Timed) -> tuple[str, ...]:
    latency = result.latency
    return (
        Path(result.file).name,
        ", ".join((result.runtime, *result.delegates)),
        _ms(latency.p50_ns.value),
        f"{_ms(latency.p50_ns.low)}..{_ms(latency.p50_ns.high)}",
        _ms(latency.p90_ns.value),
        _ms(latency.p99_ns.value) if latency.p99_ns else "too few runs",
        str(latency.runs),
        f"{result.ratio.value:.3f}",
        _interval(result.ratio),
    )


def _costs(result: Timed) -> tuple[str, ...]:
    load = result.load
    memory = f"{load.peak_memory_bytes / 1e6:.0f}"
    return Path(result.file).name, _ms(load.load_ns), _ms(load.start_ns), memory, f"{result.size_bytes / 1e3:.1f}"


def _interval(found: Quantile) -> str:
    return f"{found.low:.3f}..{found.high:.3f}"


def _ms(nanoseconds: float) -> str:
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds:.4f}" if milliseconds < 1 else f"{milliseconds:.3f}"


def _state(benchmark: Benchmark, threads: int) -> str:
    """The machine in one line: what the same bench elsewhere, or tomorrow, has to be compared with."""
    before, after = benchmark.before, benchmark.after
    facts = [benchmark.device] if benchmark.device else []
    facts += [f"{threads} of {before.cores} cores", before.processor, f"governor {before.governor or 'unknown'}"]
    if before.temperature_c is not None and after.temperature_c is not None:
        facts.append(f"{before.temperature_c:.0f} to {after.temperature_c:.0f} degrees Celsius")
    if after.throttled is not None:
        facts.append(f"throttled: {after.throttled or 'no'}")
    if before.load is not None:
        facts.append(f"load {before.load:g} before")
    return ", ".join(facts)
