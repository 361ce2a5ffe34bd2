"""Time written files against one another: latency interleaved in one process, load time and memory each in its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit import isolation, registry
from edgekit.artifact import Artifact
from edgekit.conditions import Conditions, read_conditions
from edgekit.example_feeds import example_feeds
from edgekit.inference import find_runtime
from edgekit.latency import Candidate, Latency, Timing, measure, ratio
from edgekit.load_cost import LoadCost, measure_load
from edgekit.protocols import Progress, SessionOptions, Silent
from edgekit.quantiles import Quantile


@dataclass(frozen=True, slots=True)
class Contender:
    """A file to time. ``feeds``: one run's inputs by name in the file's own dtypes; empty: example inputs."""

    path: Path
    runtime: str
    options: SessionOptions
    feeds: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Timed:
    """Everything measured of one file. ``ratio``: its median latency over the first file's, round by round."""

    file: str
    runtime: str
    runtime_version: str
    threads: int
    size_bytes: int
    latency: Latency
    ratio: Quantile
    load: LoadCost


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Results in the order the files were given, and the machine's state before and after."""

    results: tuple[Timed, ...]
    before: Conditions
    after: Conditions


@dataclass(frozen=True, slots=True)
class TimingRequest:
    """What the timing process is told."""

    contenders: tuple[Contender, ...]
    timing: Timing
    keep_samples: bool


def benchmark(
    contenders: Sequence[Contender],
    timing: Timing,
    *,
    keep_samples: bool = False,
    progress: Progress | None = None,
) -> Benchmark:
    """Measure all files; a crash of a runtime becomes a StageCrashError.

    Raises ArtifactError, RuntimeUnavailableError, FeedError and MeasurementError.
    """
    progress = progress or Silent()
    progress.stage("measuring load time and memory", len(contenders))
    loads = []
    for contender in contenders:
        loads.append(measure_load(contender.path, contender.runtime, contender.options))
        progress.step()
    before = read_conditions()
    request = TimingRequest(tuple(contenders), timing, keep_samples)
    latencies = isolation.run("edgekit.benchmark:time_here", request, progress, stage="timing").value
    results = tuple(
        _timed(contender, latency, latencies[0], load)
        for contender, latency, load in zip(contenders, latencies, loads, strict=True)
    )
    return Benchmark(results, before, read_conditions())


def contender(
    path: Path, *, runtime: str | None = None, threads: int = 1, feeds: dict[str, NDArray[Any]] | None = None
) -> Contender:
    """The file with the runtime that opens it, its sha256 verified. Raises ArtifactError, RuntimeUnavailableError."""
    found = find_runtime(Artifact.open(path).path, runtime)
    return Contender(path, found.name, SessionOptions(threads=threads), feeds or {})


def time_here(request: TimingRequest, progress: Progress) -> tuple[Latency, ...]:
    """Open all files and time them; what `benchmark` runs in a process of its own."""
    sessions = [registry.runtime(c.runtime).open(c.path, c.options) for c in request.contenders]
    candidates = [
        Candidate(one.path.name, partial(session.run, one.feeds or example_feeds(session.inputs)))
        for one, session in zip(request.contenders, sessions, strict=True)
    ]
    latencies = measure(candidates, request.timing, keep_samples=request.keep_samples, progress=progress)
    for session in sessions:
        session.close()
    return latencies


def _timed(contender: Contender, latency: Latency, first: Latency, load: LoadCost) -> Timed:
    return Timed(
        file=str(contender.path),
        runtime=contender.runtime,
        runtime_version=registry.runtime(contender.runtime).probe().version,
        threads=contender.options.threads,
        size_bytes=contender.path.stat().st_size,
        latency=latency,
        ratio=ratio(latency, first),
        load=load,
    )
