"""What ``edgekit bench`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.json_text import json_text
from edgekit.table import Table, table

if TYPE_CHECKING:
    from edgekit.bench_plan import BenchRecord, EnergyFound, Profile
    from edgekit.benchmark import Benchmark, Timed
    from edgekit.device_group import BoardAnswer
    from edgekit.quantiles import Quantile
    from edgekit.sustained import Sustained

GROUP_SCHEMA = "edgekit.benchgroup/1"
_MOST_OPS = 15


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A `BenchRecord` for output."""

    record: BenchRecord

    def to_json(self) -> str:
        from edgekit.bench_document import document

        return json_text(document(self.record))

    def sections(self) -> Sequence[Table | str]:
        record, measured = self.record, self.record.benchmark
        unsteady = [f"{_name(r)} was still changing its pace when the warm-up ended." for r in measured.results]
        steady = [r.latency.steady for r in measured.results]
        return [
            _time_table(measured),
            "",
            table("file,>load ms,>start ms,>cold ms,>peak memory MB,>size KB", _opened(measured), title="Opening"),
            "",
            *(section for profile in record.profiles for section in (_profile_table(profile), "")),
            *(section for series in record.sustained for section in (_sustained_table(series), "")),
            *(_energy_text(found) for found in record.energies),
            *(text for text, settled in zip(unsteady, steady, strict=True) if not settled),
            *_few_queries(measured),
            _state(measured),
            *_gate_lines(record),
        ]


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The answers of a group of boards for output."""

    group: str
    answers: tuple[BoardAnswer, ...]

    def to_json(self) -> str:
        from edgekit.bench_document import document

        boards = [
            {
                "device": answer.device,
                "bench": document(answer.record) if answer.record else None,
                "error": answer.error,
            }
            for answer in self.answers
        ]
        return json_text({"schema": GROUP_SCHEMA, "group": self.group, "boards": boards})

    def sections(self) -> Sequence[Table | str]:
        """One table of all boards; what each was like; what failed."""
        found = [answer.record.benchmark for answer in self.answers if answer.record is not None]
        rows = [(one.device, *_times(result)) for one in found for result in one.results]
        columns = f"device,{_columns(found[0])}" if found else "device"
        lines = [f"{answer.device}: {answer.error}" for answer in self.answers if answer.record is None]
        shown: list[Table | str] = [table(columns, rows), ""] if found else []
        gates = [line for answer in self.answers if answer.record is not None for line in _gate_lines(answer.record)]
        return [*shown, *map(_state, found), *gates, *lines]


def _gate_lines(record: BenchRecord) -> Iterator[str]:
    """Where the ops ran, and what the gates say of it."""
    from edgekit.report_text import limit_line, placement_lines

    for name, placement in record.placements.items():
        yield from placement_lines(name, placement)
    yield from map(limit_line, record.limits)


def _time_table(measured: Benchmark) -> Table:
    return table(_columns(measured), [_times(result) for result in measured.results])


def _columns(measured: Benchmark) -> str:
    interval = f"{100 * measured.results[0].latency.confidence:g} % interval"
    return f"file,runtime,>threads,>p50 ms,>{interval},>p90 ms,>p99 ms,>runs,>samples/s,>ratio,>its interval"


def _times(result: Timed) -> tuple[str, ...]:
    latency = result.latency
    return (
        _name(result),
        ", ".join((result.runtime, *result.delegates)),
        str(result.threads),
        _ms(latency.p50_ns.value),
        f"{_ms(latency.p50_ns.low)}..{_ms(latency.p50_ns.high)}",
        _ms(latency.p90_ns.value),
        _ms(latency.p99_ns.value) if latency.p99_ns else "too few runs",
        str(latency.runs),
        f"{result.throughput.value:.4g}",
        f"{result.ratio.value:.3f}",
        _interval(result.ratio),
    )


def _name(result: Timed) -> str:
    """The file, and what a call of it computes where that is more than a sample."""
    from edgekit.workload import more_than_a_sample

    several = more_than_a_sample(result.streams, result.samples)
    return " ".join([Path(result.file).name, *([f"({', '.join(several)})"] if several else [])])


def _opened(measured: Benchmark) -> list[tuple[str, ...]]:
    """A row a file and number of threads; streams and batches open it alike."""
    rows = {(result.file, result.threads): _costs(result) for result in measured.results}
    return list(rows.values())


def _costs(result: Timed) -> tuple[str, ...]:
    load = result.load
    memory = f"{load.peak_memory_bytes / 1e6:.0f}"
    cold = _ms(load.cold_ns) if load.cold_ns is not None else ""
    return (
        Path(result.file).name,
        _ms(load.load_ns),
        _ms(load.start_ns),
        cold,
        memory,
        f"{result.size_bytes / 1e3:.1f}",
    )


def _profile_table(profile: Profile) -> Table:
    total = sum(one.ms for one in profile.ops) or 1.0
    dearest = sorted(profile.ops, key=lambda one: -one.ms)
    rows = [
        (one.op.op, one.op.name, one.op.device, one.op.kernel, _ms(one.ms * 1e6), f"{100 * one.ms / total:.1f}")
        for one in dearest[:_MOST_OPS]
    ]
    if rest := dearest[_MOST_OPS:]:
        left = sum(one.ms for one in rest)
        rows.append(("", f"{len(rest)} more", "", "", _ms(left * 1e6), f"{100 * left / total:.1f}"))
    title = f"Ops of {Path(profile.file).name} in {profile.runtime}, threads {profile.threads}, on zeros"
    return table("op,name,device,kernel,>ms,>%", rows, title=title)


def _sustained_table(series: Sustained) -> Table:
    """About ten of the points; the JSON has all."""
    step = max(1, len(series.points) // 10)
    rows = [
        (
            f"{point.seconds:.0f}",
            _ms(point.p50_ns),
            _ms(point.p90_ns),
            _or_blank(point.temperature_c, ".1f"),
            _or_blank(point.frequency_mhz, "d"),
            "not told" if point.throttled is None else point.throttled or "no",
            _or_blank(point.watts, ".2f"),
        )
        for point in series.points[step - 1 :: step]
    ]
    title = f"{Path(series.file).name} without a pause: {series.slowdown:.3f} times its first pace at the end"
    return table(">s,>p50 ms,>p90 ms,>degrees C,>MHz,throttled,>W", rows, title=title)


def _or_blank(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _energy_text(found: EnergyFound) -> str:
    name = Path(found.file).name
    if found.energy is None:
        return f"{name}: no energy; {found.reason}."
    energy = found.energy
    return (
        f"{name}: {1e3 * energy.joules:.4g} mJ a run at {energy.watts:.2f} W, {1e3 * energy.net_joules:.4g} mJ above the "
        f"{energy.idle_watts:.2f} W of rest ({energy.meter}, {energy.runs} runs)."
    )


def _few_queries(measured: Benchmark) -> Iterator[str]:
    """Where LoadGen's rule would not let a p90 be told."""
    for result in measured.results:
        rule = result.latency.early_stopping[0]
        if rule.latency_ns is None:
            yield f"{_name(result)}: {rule.queries} runs; MLPerf's rule asks for {rule.needed} for a p90."


def _interval(found: Quantile) -> str:
    return f"{found.low:.3f}..{found.high:.3f}"


def _ms(nanoseconds: float) -> str:
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds:.4f}" if milliseconds < 1 else f"{milliseconds:.3f}"


def _state(benchmark: Benchmark) -> str:
    """The machine in one line: what the same bench elsewhere, or tomorrow, has to be compared with."""
    before, after = benchmark.before, benchmark.after
    facts = [benchmark.device] if benchmark.device else []
    processes = benchmark.results[0].latency.processes
    facts.append(f"{processes} process{'es' if processes > 1 else ''}")
    facts += [f"{before.cores} cores", before.processor, f"governor {before.governor or 'unknown'}"]
    if before.temperature_c is not None and after.temperature_c is not None:
        facts.append(f"{before.temperature_c:.0f} to {after.temperature_c:.0f} degrees Celsius")
    if after.throttled is not None:
        facts.append(f"throttled: {after.throttled or 'no'}")
    if before.load is not None:
        facts.append(f"load {before.load:g} before")
    if benchmark.elsewhere is not None:
        facts.append(f"{100 * benchmark.elsewhere:.0f} % of the processor taken by others")
    return ", ".join(facts)
