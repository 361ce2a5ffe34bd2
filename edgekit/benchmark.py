"""Time written files against one another: latency interleaved in one process, load time and memory each in its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit import registry
from edgekit.artifact import Artifact
from edgekit.conditions import Conditions
from edgekit.errors import MeasurementError
from edgekit.example_feeds import example_feeds
from edgekit.latency import Candidate, Latency, Timing, measure, ratio
from edgekit.load_cost import LoadCost, measure_load
from edgekit.place import Here, Place
from edgekit.protocols import Delegate, Progress, SessionOptions, Silent
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
    delegates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Results in the order the files were given, and the machine's state before and after. ``device``: "" is this machine."""

    results: tuple[Timed, ...]
    before: Conditions
    after: Conditions
    device: str = ""


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
    place: Place | None = None,
) -> Benchmark:
    """Measure all files; a crash of a runtime becomes a StageCrashError.

    Raises ArtifactError, RuntimeUnavailableError, FeedError, DeviceError and MeasurementError, also for an emulated ``place``.
    """
    progress, place = progress or Silent(), place or Here()
    if place.emulated:
        raise MeasurementError(
            f"{place.name} is emulated: its times say nothing about a board's. edgekit check compares answers there"
        )
    progress.stage("measuring load time and memory", len(contenders))
    loads = []
    for contender in contenders:
        loads.append(measure_load(contender.path, contender.runtime, contender.options, place))
        progress.step()
    before = place.conditions()
    there = tuple(replace(contender, path=place.send(contender.path)) for contender in contenders)
    request = TimingRequest(there, timing, keep_samples)
    latencies = place.run("edgekit.benchmark:time_here", request, progress, stage="timing").value
    results = tuple(
        _timed(contender, latency, latencies[0], load, place)
        for contender, latency, load in zip(contenders, latencies, loads, strict=True)
    )
    return Benchmark(results, before, place.conditions(), place.name)


def contender(
    path: Path,
    *,
    runtime: str | None = None,
    threads: int = 1,
    delegates: tuple[Delegate, ...] = (),
    feeds: dict[str, NDArray[Any]] | None = None,
    place: Place | None = None,
) -> Contender:
    """The file with the runtime that opens it there, its sha256 verified. Raises ArtifactError, RuntimeUnavailableError."""
    found = (place or Here()).runtime(Artifact.open(path).path, runtime)
    return Contender(path, found.name, SessionOptions(threads=threads, delegates=delegates), feeds or {})


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


def _timed(contender: Contender, latency: Latency, first: Latency, load: LoadCost, place: Place) -> Timed:
    return Timed(
        file=str(contender.path),
        runtime=contender.runtime,
        runtime_version=place.runtime(contender.path, contender.runtime).version,
        threads=contender.options.threads,
        size_bytes=contender.path.stat().st_size,
        latency=latency,
        ratio=ratio(latency, first),
        load=load,
        delegates=tuple(map(str, contender.options.delegates)),
    )
