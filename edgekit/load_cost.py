"""What opening a file costs: time and memory, measured in processes that do nothing else."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit import registry
from edgekit.example_feeds import example_feeds
from edgekit.place import Here, Place
from edgekit.protocols import Progress, Session, SessionOptions


@dataclass(frozen=True, slots=True)
class LoadCost:
    """``load_ns``: opening the file in a process that has opened it before, so that the runtime is imported and the file
    in the page cache. ``start_ns``: importing the runtime, opening the file and the first answer, in a fresh process: the
    median of ``starts_ns``. ``cold_ns``: the same with the file dropped from the page cache, so that it comes from the disk;
    None where that was not asked for or can't be done. ``peak_memory_bytes``: the most such a process held; Python, numpy and
    the runtime are part of it.
    """

    load_ns: int
    start_ns: int
    peak_memory_bytes: int
    cold_ns: int | None = None
    starts_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Which file to open, with what. ``attempt`` tells repetitions apart; ``cold``: from the disk."""

    path: Path
    runtime: str
    options: SessionOptions
    attempt: int = 0
    cold: bool = False


def measure_load(
    path: Path, runtime: str, options: SessionOptions, place: Place | None = None, starts: int = 1
) -> LoadCost:
    """Open and run the file in fresh processes, cold ones too where there are several ``starts``.

    Raises what opening raises, and StageCrashError when it crashes.
    """
    place = place or Here()
    request = LoadRequest(place.send(path), runtime, options)
    stage = f"opening {path.name} in {runtime}"
    started = [
        place.run("edgekit.load_cost:start_here", replace(request, attempt=attempt), stage=stage)
        for attempt in range(starts)
    ]
    cold = [
        place.run("edgekit.load_cost:start_here", replace(request, attempt=attempt, cold=True), stage=stage).value
        for attempt in range(starts if starts > 1 else 0)
    ]
    loaded = place.run("edgekit.load_cost:load_here", request, stage=stage)
    times = tuple(one.value for one in started)
    return LoadCost(
        load_ns=loaded.value,
        start_ns=round(statistics.median(times)),
        peak_memory_bytes=max(one.peak_memory_bytes for one in started),
        cold_ns=round(statistics.median(cold)) if cold and None not in cold else None,
        starts_ns=times,
    )


def start_here(request: LoadRequest, progress: Progress) -> int | None:
    """Nanoseconds from a bare interpreter to the first answer; what `measure_load` runs in its first processes."""
    if request.cold and not _drop_from_page_cache(request.path):
        return None
    began = time.perf_counter_ns()
    session = registry.runtime(request.runtime).open(request.path, request.options)
    session.run(example_feeds(session.inputs))
    ended = time.perf_counter_ns()
    session.close()
    return ended - began


def _drop_from_page_cache(path: Path) -> bool:
    """Whether the system offers that. Pages that were not yet written to the disk stay (posix_fadvise(2)): write them first."""
    if not hasattr(os, "posix_fadvise"):
        return False
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def open_here(request: LoadRequest, progress: Progress) -> Session:
    """The opened file, for `edgekit.isolation.open_session`."""
    return registry.runtime(request.runtime).open(request.path, request.options)


def load_here(request: LoadRequest, progress: Progress) -> int:
    """Median nanoseconds of opening the file once more; what `measure_load` runs in its last process."""
    runtime = registry.runtime(request.runtime)
    times = []
    for _ in range(_OPENINGS):
        began = time.perf_counter_ns()
        session = runtime.open(request.path, request.options)
        times.append(time.perf_counter_ns() - began)
        session.close()
    return statistics.median_high(times[1:])


_OPENINGS = 4
