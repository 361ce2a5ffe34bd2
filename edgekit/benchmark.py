"""Time written files against one another: latency interleaved in several processes, load time and memory each in its own.

Each process opens all files anew, in another order: where a process's memory lies is chance, and moves its times by a percent or
two, now and then by much more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit import registry
from edgekit.artifact import Artifact
from edgekit.conditions import Conditions, processor_time, taken_elsewhere
from edgekit.errors import MeasurementError
from edgekit.latency import Candidate, Latency, Series, Timing, measure, ratio, sample, summarize
from edgekit.load_cost import LoadCost, measure_load
from edgekit.place import Here, Place
from edgekit.protocols import Delegate, Progress, SessionOptions, Silent
from edgekit.quantiles import Quantile
from edgekit.workload import Work, Workload, open_work


@dataclass(frozen=True, slots=True)
class Contender:
    """A file to time. ``feeds``: one run's inputs by name in the file's own dtypes; empty: example inputs."""

    path: Path
    runtime: str
    options: SessionOptions
    feeds: dict[str, NDArray[Any]]
    workload: Workload = field(default_factory=Workload)


@dataclass(frozen=True, slots=True)
class Timed:
    """Everything measured of one file. ``ratio``: its time a sample over the first one's, round by round.

    ``latency`` is that of a call, which computes ``samples`` of them; ``throughput``: samples a second.
    """

    file: str
    runtime: str
    runtime_version: str
    threads: int
    size_bytes: int
    latency: Latency
    ratio: Quantile
    load: LoadCost
    streams: int
    samples: int
    throughput: Quantile
    delegates: tuple[str, ...] = ()


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
    samples: tuple[int, ...]
    elsewhere: float | None


def benchmark(
    contenders: Sequence[Contender],
    timing: Timing,
    *,
    processes: int = 1,
    starts: int = 1,
    keep_samples: bool = False,
    progress: Progress | None = None,
    place: Place | None = None,
) -> Benchmark:
    """Measure all files, in ``processes`` one after the other; a crash of a runtime becomes a StageCrashError.

    ``processes`` become fewer, but not fewer than 3, where they would take more than ``timing.max_seconds`` to start and warm up.
    ``starts``: how often a start is measured; with several, cold ones too.

    Raises ArtifactError, RuntimeUnavailableError, FeedError, DeviceError and MeasurementError, also for an emulated ``place``.
    """
    progress, place = progress or Silent(), place or Here()
    if place.emulated:
        raise MeasurementError(
            f"{place.name} is emulated: its times say nothing about a board's. edgekit check compares answers there"
        )
    loads = _loads(contenders, starts, place, progress)
    before = place.conditions()
    there = tuple(replace(contender, path=place.send(contender.path)) for contender in contenders)
    sampled = _sampled(there, timing, processes, place, progress)
    latencies = [
        summarize([one.series[position] for one in sampled], timing.confidence, keep_samples)
        for position in range(len(contenders))
    ]
    samples = sampled[0].samples
    results = tuple(
        _timed(contender, (latency, latencies[0]), (count, samples[0]), load, place)
        for contender, latency, count, load in zip(contenders, latencies, samples, loads, strict=True)
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
    delegates: tuple[Delegate, ...] = (),
    feeds: dict[str, NDArray[Any]] | None = None,
    place: Place | None = None,
) -> Contender:
    """The file with the runtime that opens it there, its sha256 verified. Raises ArtifactError, RuntimeUnavailableError."""
    found = (place or Here()).runtime(Artifact.open(path).path, runtime)
    return Contender(path, found.name, SessionOptions(threads=threads, delegates=delegates), feeds or {})


def time_here(request: TimingRequest, progress: Progress) -> tuple[Latency, ...]:
    """Open all files and time them in this process."""
    opened = [_work(one) for one in request.contenders]
    candidates = [Candidate(one.path.name, work.call) for one, work in zip(request.contenders, opened, strict=True)]
    latencies = measure(candidates, request.timing, keep_samples=request.keep_samples, progress=progress)
    for work in opened:
        work.close()
    return latencies


def _loads(contenders: Sequence[Contender], starts: int, place: Place, progress: Progress) -> list[LoadCost]:
    """A cost a contender; batches and streams of one file open it alike."""
    progress.stage("measuring load time and memory", len(contenders))
    found: list[LoadCost] = []
    for position, one in enumerate(contenders):
        same = (other for other in range(position) if opens_alike(contenders[other], one))
        earlier = next(same, None)
        found.append(
            measure_load(one.path, one.runtime, one.options, place, starts) if earlier is None else found[earlier]
        )
        progress.step()
    return found


def opens_alike(one: Contender, other: Contender) -> bool:
    """Whether two contenders differ in what a call does alone."""
    return (one.path, one.runtime, one.options) == (other.path, other.runtime, other.options)


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
    contenders = request.contenders
    order = random.Random(request.timing.seed).sample(range(len(contenders)), len(contenders))
    opened = {position: _work(contenders[position]) for position in order}
    candidates = [Candidate(contenders[position].path.name, work.call) for position, work in opened.items()]
    before = processor_time()
    found = sample(candidates, request.timing, request.min_runs, progress)
    elsewhere = taken_elsewhere(before, processor_time())
    series = {position: one.divided(opened[position].runs) for position, one in zip(opened, found, strict=True)}
    for work in opened.values():
        work.close()
    positions = range(len(contenders))
    return Sampled(
        tuple(series[position] for position in positions),
        tuple(opened[position].samples for position in positions),
        elsewhere,
    )


def _work(contender: Contender) -> Work:
    runtime = registry.runtime(contender.runtime)
    return open_work(contender.path, runtime, contender.options, contender.workload, contender.feeds)


def _timed(
    contender: Contender, latency: tuple[Latency, Latency], samples: tuple[int, int], load: LoadCost, place: Place
) -> Timed:
    """``latency`` and ``samples`` of a call: the file's own, and those of the first file."""
    own, first = latency
    calls = ratio(own, first).times(samples[1] / samples[0])
    return Timed(
        file=str(contender.path),
        runtime=contender.runtime,
        runtime_version=place.runtime(contender.path, contender.runtime).version,
        threads=contender.options.threads,
        size_bytes=contender.path.stat().st_size,
        latency=own,
        ratio=calls,
        load=load,
        streams=contender.workload.streams,
        samples=samples[0],
        throughput=own.p50_ns.inverse(samples[0] * 1e9),
        delegates=tuple(map(str, contender.options.delegates)),
    )
