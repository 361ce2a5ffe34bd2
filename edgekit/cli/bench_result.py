"""What ``edgekit bench`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.json_text import json_text, plain
from edgekit.table import Table, table

if TYPE_CHECKING:
    from edgekit.benchmark import Benchmark, Timed
    from edgekit.quantiles import Quantile

SCHEMA = "edgekit.bench/1"


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A `Benchmark` for output. ``keep_samples`` adds every single run to the JSON."""

    benchmark: Benchmark
    keep_samples: bool

    def to_json(self) -> str:
        results = [plain(result) for result in self.benchmark.results]
        for result in results:
            del result["latency"]["rounds_ns"]
            if not self.keep_samples:
                del result["latency"]["samples_ns"]
        before, after = self.benchmark.before, self.benchmark.after
        document = {"schema": SCHEMA, "device": self.benchmark.device, "results": results}
        return json_text({**document, "before": before, "after": after, "elsewhere": self.benchmark.elsewhere})

    def sections(self) -> Sequence[Table | str]:
        results = self.benchmark.results
        interval = f"{100 * results[0].latency.confidence:g} % interval"
        times = table(
            f"file,runtime,>p50 ms,>{interval},>p90 ms,>p99 ms,>runs,>ratio,>its interval",
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
        ]


def _times(result: Timed) -> tuple[str, ...]:
    latency = result.latency
    return (
        Path(result.file).name,
        result.runtime,
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
    processes = benchmark.results[0].latency.processes
    facts.append(f"{processes} process{'es' if processes > 1 else ''}")
    facts += [f"{threads} of {before.cores} cores", before.processor, f"governor {before.governor or 'unknown'}"]
    if before.temperature_c is not None and after.temperature_c is not None:
        facts.append(f"{before.temperature_c:.0f} to {after.temperature_c:.0f} degrees Celsius")
    if after.throttled is not None:
        facts.append(f"throttled: {after.throttled or 'no'}")
    if before.load is not None:
        facts.append(f"load {before.load:g} before")
    if benchmark.elsewhere is not None:
        facts.append(f"{100 * benchmark.elsewhere:.0f} % of the processor taken by others")
    return ", ".join(facts)
