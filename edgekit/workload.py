"""What one timed call does: a single query, or with a batch or several streams a share of a queue (MLPerf's offline scenario).

Streams are sessions of their own, each run by a thread: both runtimes release Python's lock while they compute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import MeasurementError
from edgekit.example_feeds import example_feeds
from edgekit.protocols import Feeds, Runtime, Session, SessionOptions

BURST_NS = 10_000_000
"""Streams work through so much between two readings of the clock, so that starting them counts little."""


@dataclass(frozen=True, slots=True)
class Workload:
    """``batch``: samples of a run; None: what the file has, or 1. ``streams``: sessions at work at the same time."""

    batch: int | None = None
    streams: int = 1


def more_than_a_sample(streams: int, samples: int) -> list[str]:
    """What a call of so many streams and samples computes, for people; nothing where it is one sample."""
    words = [f"{streams} streams"] if streams > 1 else []
    return [*words, f"batch {samples // streams}"] if samples > streams else words


@dataclass(frozen=True, slots=True)
class Work:
    """An opened file: the call to time, how often it runs all streams, and how many samples one such run computes."""

    call: Callable[[], object]
    runs: int
    samples: int
    close: Callable[[], None]


def open_work(
    path: Path, runtime: Runtime, options: SessionOptions, workload: Workload, feeds: Feeds | None = None
) -> Work:
    """Open the file, once a stream. Raises MeasurementError for a batch that it can't take."""
    sessions = [runtime.open(path, options) for _ in range(workload.streams)]
    given = batched(feeds or example_feeds(sessions[0].inputs), sessions[0].inputs, workload.batch, path)
    batch = _batch(given)
    if len(sessions) == 1:
        return Work(partial(sessions[0].run, given), 1, batch, sessions[0].close)
    return _streams(sessions, given, batch)


def batched(feeds: Feeds, inputs: Sequence[TensorSpec], batch: int | None, path: Path) -> Feeds:
    """The feeds with their first sample repeated to that batch."""
    if batch is None or batch == _batch(feeds):
        return feeds
    fixed = [spec.name for spec in inputs if not spec.shape or isinstance(spec.shape[0], int)]
    if fixed:
        raise MeasurementError(
            f"{path.name} takes {_batch(feeds)} sample(s) a run: its input {fixed[0]} has a fixed first axis, so --batch {batch} "
            "does not fit it. Convert with a dynamic batch, or use --streams"
        )
    return {name: np.repeat(array[:1], batch, axis=0) for name, array in feeds.items()}


def _batch(feeds: Feeds) -> int:
    first: NDArray[Any] = next(iter(feeds.values()))
    return int(first.shape[0]) if first.ndim else 1


def _streams(sessions: Sequence[Session], feeds: Feeds, batch: int) -> Work:
    """A call is a burst: every stream runs so often that the burst takes about `BURST_NS`."""
    pool = ThreadPoolExecutor(len(sessions))

    def burst(runs: int) -> None:
        done = [pool.submit(_repeat, session, feeds, runs) for session in sessions]
        wait(done)
        for one in done:
            one.result()

    def close() -> None:
        pool.shutdown()
        for session in sessions:
            session.close()

    runs = _runs_of_a_burst(burst)
    return Work(partial(burst, runs), runs, len(sessions) * batch, close)


def _runs_of_a_burst(burst: Callable[[int], None]) -> int:
    runs = 1
    burst(1)
    while True:
        began = time.perf_counter_ns()
        burst(runs)
        taken = time.perf_counter_ns() - began
        if taken >= BURST_NS / 2:
            return max(1, round(runs * BURST_NS / taken))
        runs *= 2


def _repeat(session: Session, feeds: Feeds, runs: int) -> None:
    for _ in range(runs):
        session.run(feeds)
