"""One file run without a pause for minutes: does it get slower as the board gets warm?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekit import registry
from edgekit.benchmark import Contender
from edgekit.conditions import read_conditions
from edgekit.errors import MeasurementError
from edgekit.latency import Clock
from edgekit.place import Place
from edgekit.power import Meter, find_meter
from edgekit.protocols import Progress
from edgekit.workload import Work, open_work

INTERVALS = 120
"""Points of the series, each at least a second long."""


@dataclass(frozen=True, slots=True)
class Point:
    """An interval of the run: when it ended, how long calls took, and the board's state then. None where it does not tell."""

    seconds: float
    p50_ns: float
    p90_ns: float
    runs: int
    temperature_c: float | None
    frequency_mhz: int | None
    throttled: str | None
    watts: float | None = None


@dataclass(frozen=True, slots=True)
class Sustained:
    """The series of one file. ``slowdown``: median of the last tenth over that of the first (1.2: a fifth slower)."""

    file: str
    runtime: str
    threads: int
    points: tuple[Point, ...]
    slowdown: float


@dataclass(frozen=True, slots=True)
class SustainRequest:
    """What to run, and for how long."""

    contender: Contender
    seconds: float


def sustain(contender: Contender, seconds: float, place: Place, progress: Progress) -> Sustained:
    """Run the file there for that long. Raises MeasurementError for an emulated ``place``."""
    if place.emulated:
        raise MeasurementError(f"{place.name} is emulated: its times say nothing about a board's")
    sent = replace(contender, path=place.send(contender.path))
    points: tuple[Point, ...] = place.run(
        "edgekit.sustained:sustain_here", SustainRequest(sent, seconds), progress, stage="sustained run"
    ).value
    return Sustained(str(contender.path), contender.runtime, contender.options.threads, points, slowdown_of(points))


def sustain_here(request: SustainRequest, progress: Progress, root: Path = Path("/")) -> tuple[Point, ...]:
    """What `sustain` runs in a process there; ``root`` holds ``proc`` and ``sys``."""
    contender = request.contender
    runtime = registry.runtime(contender.runtime)
    work = open_work(contender.path, runtime, contender.options, contender.workload, contender.feeds)
    meter = find_meter(root)
    progress.stage("running without a pause", INTERVALS)
    points = []
    for point in follow(work, request.seconds, meter, root):
        points.append(point)
        progress.step()
    if meter is not None:
        meter.close()
    work.close()
    return tuple(points)


def follow(
    work: Work, seconds: float, meter: Meter | None, root: Path, clock: Clock = time.perf_counter_ns
) -> Iterator[Point]:
    """A point an interval, until the time is over."""
    interval = max(1.0, seconds / INTERVALS)
    began = clock()
    joules, last = meter.joules() if meter else 0.0, 0.0
    while last < seconds:
        samples = _run_for(work.call, min(interval, seconds - last), clock)
        now = (clock() - began) / 1e9
        used = meter.joules() if meter else 0.0
        state = read_conditions(root)
        yield Point(
            seconds=now,
            p50_ns=float(np.median(samples)) / work.runs,
            p90_ns=float(np.quantile(samples, 0.9)) / work.runs,
            runs=len(samples) * work.runs,
            temperature_c=state.temperature_c,
            frequency_mhz=state.frequency_mhz,
            throttled=state.throttled,
            watts=(used - joules) / (now - last) if meter else None,
        )
        joules, last = used, now


def slowdown_of(points: Sequence[Point]) -> float:
    """Median time of the last tenth of the points over that of the first tenth."""
    tenth = max(1, len(points) // 10)
    first, last = ([point.p50_ns for point in part] for part in (points[:tenth], points[-tenth:]))
    return float(np.median(last) / np.median(first))


def _run_for(call: Callable[[], object], seconds: float, clock: Clock) -> list[int]:
    samples: list[int] = []
    ends = clock() + seconds * 1e9
    while not samples or clock() < ends:
        began = clock()
        call()
        samples.append(clock() - began)
    return samples
