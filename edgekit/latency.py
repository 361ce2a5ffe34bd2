"""How long one call takes: candidates warmed up, interleaved, and summed up with the uncertainty of each figure.

Warm-up ends when the medians of two successive windows (at least 3 calls and 20 ms each) differ by at most 2 %, twice in a
row, or after its time limit, in which case ``steady`` is false. Then the candidates take turns in rounds, in an order drawn
anew for every round: a block of about 20 ms each, whose first call, which finds the other candidate's data in the caches,
is not counted.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from edgekit.errors import MeasurementError
from edgekit.protocols import Progress, Silent
from edgekit.quantiles import Quantile, median_ratio, quantile, runs_needed

Clock = Callable[[], int]
"""Nanoseconds since some moment."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to time: one call, and the name it has in the results."""

    name: str
    call: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to measure. ``min_seconds`` and ``max_seconds`` are a candidate's own measured time.

    Measuring goes on past ``min_seconds`` while a p90 cannot be bounded yet, and ends at ``max_seconds`` or ``max_runs``.
    """

    min_seconds: float = 2.0
    max_seconds: float = 60.0
    max_runs: int = 50_000
    warm_up_seconds: float = 3.0
    block_ns: int = 20_000_000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one call. ``p99_ns`` is None where the runs are too few to bound it.

    ``rounds_ns``: the median of each round's block, for `ratio`. ``samples_ns``: every run, if they were asked for.
    """

    name: str
    p50_ns: Quantile
    p90_ns: Quantile
    p99_ns: Quantile | None
    min_ns: int
    runs: int
    confidence: float
    warm_up_runs: int
    steady: bool
    rounds_ns: tuple[float, ...] = ()
    samples_ns: tuple[int, ...] = ()


def measure(
    candidates: Sequence[Candidate],
    timing: Timing = Timing(),
    *,
    keep_samples: bool = False,
    progress: Progress | None = None,
    clock: Clock = time.perf_counter_ns,
) -> tuple[Latency, ...]:
    """Time all candidates side by side; one result each, in their order.

    Raises MeasurementError when ``timing`` ends before a p90 can be bounded.
    """
    if not candidates:
        raise MeasurementError("there is nothing to time: give at least one candidate")
    progress = progress or Silent()
    with _no_garbage_collection():
        progress.stage("warming up", len(candidates))
        runners = []
        for candidate in candidates:
            runners.append(_Runner.warmed_up(candidate, timing, clock))
            progress.step()
        _interleave(runners, timing, progress)
    return tuple(runner.result(timing, keep_samples) for runner in runners)


def ratio(candidate: Latency, baseline: Latency) -> Quantile:
    """Median time of ``candidate`` over that of ``baseline``, both of one `measure`, round by round."""
    if len(candidate.rounds_ns) != len(baseline.rounds_ns):
        raise MeasurementError(f"{candidate.name} and {baseline.name} were not measured in the same rounds")
    return median_ratio(candidate.rounds_ns, baseline.rounds_ns, candidate.confidence)


class _Runner:
    """A candidate and what was measured of it so far."""

    def __init__(self, candidate: Candidate, clock: Clock, warm_up: list[int], steady: bool, block_ns: int) -> None:
        self._candidate, self._clock, self._steady = candidate, clock, steady
        self._warm_up_runs = len(warm_up)
        self._calls_a_block = max(1, round(block_ns / max(1, statistics.median(warm_up[-_WINDOW:]))))
        self._samples: list[int] = []
        self._rounds: list[float] = []
        self._total_ns = 0

    @staticmethod
    def warmed_up(candidate: Candidate, timing: Timing, clock: Clock) -> _Runner:
        samples, steady = _warm_up(candidate.call, timing, clock)
        return _Runner(candidate, clock, samples, steady, timing.block_ns)

    def run_block(self) -> None:
        if self._calls_a_block > 1:
            self._candidate.call()
        block = _timed(self._candidate.call, self._calls_a_block, self._clock)
        self._samples += block
        self._rounds.append(statistics.median(block))
        self._total_ns += sum(block)

    def finished(self, timing: Timing) -> bool:
        runs, seconds = len(self._samples), self._total_ns / 1e9
        if runs >= timing.max_runs or seconds >= timing.max_seconds:
            return True
        enough = runs >= runs_needed(0.9, timing.confidence) and len(self._rounds) >= runs_needed(
            0.5, timing.confidence
        )
        return enough and seconds >= timing.min_seconds

    def result(self, timing: Timing, keep_samples: bool) -> Latency:
        samples, confidence = self._samples, timing.confidence
        return Latency(
            name=self._candidate.name,
            p50_ns=quantile(samples, 0.5, confidence),
            p90_ns=quantile(samples, 0.9, confidence),
            p99_ns=quantile(samples, 0.99, confidence) if len(samples) >= runs_needed(0.99, confidence) else None,
            min_ns=min(samples),
            runs=len(samples),
            confidence=confidence,
            warm_up_runs=self._warm_up_runs,
            steady=self._steady,
            rounds_ns=tuple(self._rounds),
            samples_ns=tuple(samples) if keep_samples else (),
        )


_WINDOW = 3
_FEWEST_WINDOWS = 4


def _warm_up(call: Callable[[], object], timing: Timing, clock: Clock) -> tuple[list[int], bool]:
    """All warm-up samples, and whether the time of a call had settled; the head of this file states the criterion."""
    samples: list[int] = []
    medians: list[float] = []
    deadline = clock() + timing.warm_up_seconds * 1e9
    while clock() < deadline or len(medians) < _FEWEST_WINDOWS:
        window: list[int] = []
        while len(window) < _WINDOW or sum(window) < timing.block_ns:
            window += _timed(call, _WINDOW, clock)
        samples += window
        medians.append(statistics.median(window))
        if len(medians) >= _FEWEST_WINDOWS and all(
            abs(a - b) <= 0.02 * b for a, b in zip(medians[-2:], medians[-3:-1], strict=True)
        ):
            return samples, True
    return samples, False


def _interleave(runners: Sequence[_Runner], timing: Timing, progress: Progress) -> None:
    """Rounds until every candidate has enough; all of them run in every round, so that rounds can be compared."""
    shuffled = random.Random(timing.seed)
    expected = max(1, round(timing.min_seconds * 1e9 / timing.block_ns))
    progress.stage("timing", expected)
    while not all(runner.finished(timing) for runner in runners):
        for runner in shuffled.sample(list(runners), len(runners)):
            runner.run_block()
        progress.step()


def _timed(call: Callable[[], object], count: int, clock: Clock) -> list[int]:
    samples = []
    for _ in range(count):
        began = clock()
        call()
        samples.append(clock() - began)
    return samples


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collection in the middle of a call would be counted as the call's own time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
