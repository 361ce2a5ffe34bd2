"""What opening a file costs: time and memory, measured in processes that do nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from edgekit import registry
from edgekit.example_feeds import example_feeds
from edgekit.place import Here, Place
from edgekit.protocols import Progress, Session, SessionOptions


@dataclass(frozen=True, slots=True)
class LoadCost:
    """``load_ns``: opening the file in a process that has opened it before, so that the runtime is imported and the file
    in the page cache. ``start_ns``: importing the runtime, opening the file and the first answer, in a fresh process.
    ``peak_memory_bytes``: the most that fresh process held; Python, numpy and the runtime are part of it.
    """

    load_ns: int
    start_ns: int
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Which file to open, with what."""

    path: Path
    runtime: str
    options: SessionOptions


def measure_load(path: Path, runtime: str, options: SessionOptions, place: Place | None = None) -> LoadCost:
    """Open and run the file in fresh processes. Raises what opening raises, and StageCrashError when it crashes."""
    place = place or Here()
    request = LoadRequest(place.send(path), runtime, options)
    stage = f"opening {path.name} in {runtime}"
    started = place.run("edgekit.load_cost:start_here", request, stage=stage)
    loaded = place.run("edgekit.load_cost:load_here", request, stage=stage)
    return LoadCost(loaded.value, started.value, started.peak_memory_bytes)


def start_here(request: LoadRequest, progress: Progress) -> int:
    """Nanoseconds from a bare interpreter to the first answer; what `measure_load` runs in its first process."""
    began = time.perf_counter_ns()
    session = registry.runtime(request.runtime).open(request.path, request.options)
    session.run(example_feeds(session.inputs))
    ended = time.perf_counter_ns()
    session.close()
    return ended - began


def open_here(request: LoadRequest, progress: Progress) -> Session:
    """The opened file, for `edgekit.isolation.open_session`."""
    return registry.runtime(request.runtime).open(request.path, request.options)


def load_here(request: LoadRequest, progress: Progress) -> int:
    """Median nanoseconds of opening the file once more; what `measure_load` runs in its second process."""
    runtime = registry.runtime(request.runtime)
    times = []
    for _ in range(_OPENINGS):
        began = time.perf_counter_ns()
        session = runtime.open(request.path, request.options)
        times.append(time.perf_counter_ns() - began)
        session.close()
    return sorted(times[1:])[(_OPENINGS - 1) // 2]


_OPENINGS = 4
