"""Time written files against one another: latency interleaved in several processes, load time and memory each in its own.

Each process opens all files anew, in another order: where a process's memory lies is chance, and moves its times by a percent or
two, now and then by much more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit import registry
from edgekit.artifact import Artifact
from edgekit.conditions import Conditions, processor_time, taken_elsewhere
from edgekit.errors import MeasurementError
from edgekit.example_feeds import example_feeds
from edgekit.latency import Candidate, Latency, Series, Timing, measure, ratio, sample, summarize
from edgekit.load_cost import LoadCost, measure_load
from edgekit.place import Here, Place
from edgekit.protocols import Progress, Session, SessionOptions, Silent
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
    """Results in the order the files were given, and the machine's state before and after. ``device``: "" is this machine.

    ``elsewhere``: the share of the machine's processor time that others took while the files were timed, where it tells.
    """

    results: tuple[Timed, ...]
    before: Conditions
    after: Conditions
    device: str = ""
    elsewhere: float | None = None


@dataclass(frozen=True, slots=True)
class TimingRequest:
    """What to time in one process."""

    contenders: tuple[Contender, ...]
    timing: Timing
    keep_samples: bool


@dataclass(frozen=True, slots=True)
class SamplingRequest:
    """What one of several timing processes is told."""

    contenders: tuple[Contender, ...]
    timing: Timing
    min_runs: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one of several timing processes answers."""

    series: tuple[Series, ...]
    elsewhere: float | None


def benchmark(
    contenders: Sequence[Contender],
    timing: Timing,
    *,
    processes: int = 1,
    keep_samples: bool = False,
    progress: Progress | None = None,
    place: Place | None = None,
) -> Benchmark:
    """Measure all files, in ``processes`` one after the other; a crash of a runtime becomes a StageCrashError.

    ``processes`` become fewer, but not fewer than 3, where they would take more than ``timing.max_seconds`` to start and warm up.

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
    sampled = _sampled(there, timing, processes, place, progress)
    latencies = [
        summarize([one.series[position] for one in sampled], timing.confidence, keep_samples)
        for position in range(len(contenders))
    ]
    results = tuple(
        _timed(contender, latency, latencies[0], load, place)
        for contender, latency, load in zip(contenders, latencies, loads, strict=True)
    )
    elsewhere = [one.elsewhere for one in sampled if one.elsewhere is not None]
    return Benchmark(
        results, before, place.conditions(), place.name, sum(elsewhere) / len(elsewhere) if elsewhere else None
    )


def contender(
    path: Path,
    *,
    runtime: str | None = None,
    threads: int = 1,
    feeds: dict[str, NDArray[Any]] | None = None,
    place: Place | None = None,
) -> Contender:
    """The file with the runtime that opens it there, its sha256 verified. Raises ArtifactError, RuntimeUnavailableError."""
    found = (place or Here()).runtime(Artifact.open(path).path, runtime)
    return Contender(path, found.name, SessionOptions(threads=threads), feeds or {})


def time_here(request: TimingRequest, progress: Progress) -> tuple[Latency, ...]:
    """Open all files and time them in this process."""
    opened = [_candidate(one) for one in request.contenders]
    latencies = measure(
        [candidate for candidate, _ in opened], request.timing, keep_samples=request.keep_samples, progress=progress
    )
    for _, session in opened:
        session.close()
    return latencies


def _sampled(
    contenders: tuple[Contender, ...], timing: Timing, processes: int, place: Place, progress: Progress
) -> list[Sampled]:
    """The answer of each process; how many more it takes is decided after the first."""
    found: list[Sampled] = []
    while len(found) < processes:
        share = replace(timing.shared(processes), seed=timing.seed + len(found))
        request = SamplingRequest(contenders, share, -(-timing.min_runs // processes))
        began = time.perf_counter()
        found.append(place.run("edgekit.benchmark:sample_here", request, progress, stage="timing").value)
        if len(found) == 1:
            overhead = time.perf_counter() - began - len(contenders) * share.min_seconds
            processes = min(processes, max(_FEWEST_PROCESSES, round(timing.max_seconds / max(overhead, 1e-3))))
    return found


_FEWEST_PROCESSES = 3


def sample_here(request: SamplingRequest, progress: Progress) -> Sampled:
    """Open all files in an order of this process's own and time them; what `benchmark` runs in each process."""
    order = random.Random(request.timing.seed).sample(range(len(request.contenders)), len(request.contenders))
    opened = [(position, *_candidate(request.contenders[position])) for position in order]
    before = processor_time()
    series = sample([candidate for _, candidate, _ in opened], request.timing, request.min_runs, progress)
    elsewhere = taken_elsewhere(before, processor_time())
    for _, _, session in opened:
        session.close()
    by_position = dict(zip(order, series, strict=True))
    return Sampled(tuple(by_position[position] for position in range(len(series))), elsewhere)


def _candidate(contender: Contender) -> tuple[Candidate, Session]:
    session = registry.runtime(contender.runtime).open(contender.path, contender.options)
    feeds = contender.feeds or example_feeds(session.inputs)
    return Candidate(contender.path.name, partial(session.run, feeds)), session


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
    )
