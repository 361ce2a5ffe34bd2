"""How long one call takes: candidates warmed up, interleaved, and summed up with the uncertainty of each figure.

Warm-up ends when the medians of two successive windows (at least 3 calls and 20 ms each) differ by at most 2 %, twice in a
row, or after its time limit, in which case ``steady`` is false. Then the candidates take turns in rounds, in an order drawn
anew for every round: a block of about 20 ms each, whose first call, which finds the other candidate's data in the caches,
is not counted.

A run may be spread over several processes, each of which makes a `Series` a candidate; `summarize` puts them together. The
intervals hold for another run, not for another call (`edgekit.repeats`).
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.early_stopping import EarlyStopping, early_stopping, queries_needed
from edgekit.errors import MeasurementError
from edgekit.protocols import Progress, Silent
from edgekit.quantiles import Quantile, quantile, runs_needed
from edgekit.repeats import IN_TURNS, spread

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

    Measuring goes on past ``min_seconds`` until there are the ``min_runs`` that LoadGen's rule asks for ``percentile``, and ends
    at ``max_seconds`` or ``max_runs``.
    """

    min_seconds: float = 2.0
    max_seconds: float = 60.0
    max_runs: int = 50_000
    warm_up_seconds: float = 3.0
    block_ns: int = 20_000_000
    confidence: float = 0.95
    percentile: float = 0.9
    seed: int = 0

    @property
    def min_runs(self) -> int:
        return queries_needed(self.percentile)

    def shared(self, processes: int) -> Timing:
        """One of ``processes`` equal parts."""
        return replace(
            self,
            min_seconds=self.min_seconds / processes,
            max_seconds=self.max_seconds / processes,
            max_runs=-(-self.max_runs // processes),
        )


@dataclass(frozen=True, slots=True)
class Series:
    """What one process measured of a candidate: the runs of every block, in order of time."""

    name: str
    blocks_ns: tuple[tuple[int, ...], ...]
    warm_up_runs: int
    steady: bool

    def divided(self, runs: int) -> Series:
        """The time of one run, where each call made so many."""
        if runs == 1:
            return self
        return replace(self, blocks_ns=tuple(tuple(round(call / runs) for call in block) for block in self.blocks_ns))


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one call. ``p99_ns`` is None where the runs are too few to bound it.

    ``repeats_ns``: the p50 of each process, or of each tenth of the time where there was one process; the intervals come from
    their spread. ``early_stopping``: LoadGen's estimates of p90 and p99. ``rounds_ns``: by process, the median of each
    round's block, for `ratio`. ``samples_ns``: every run, if they were asked for.
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
    processes: int = 1
    repeats_ns: tuple[float, ...] = ()
    early_stopping: tuple[EarlyStopping, ...] = ()
    rounds_ns: tuple[tuple[float, ...], ...] = ()
    samples_ns: tuple[int, ...] = ()


def measure(
    candidates: Sequence[Candidate],
    timing: Timing = Timing(),
    *,
    keep_samples: bool = False,
    progress: Progress | None = None,
    clock: Clock = time.perf_counter_ns,
) -> tuple[Latency, ...]:
    """Time all candidates side by side in this process; one result each, in their order.

    Raises MeasurementError when ``timing`` ends before a p90 can be bounded.
    """
    found = sample(candidates, timing, timing.min_runs, progress, clock)
    return tuple(summarize([series], timing.confidence, keep_samples) for series in found)


def sample(
    candidates: Sequence[Candidate],
    timing: Timing,
    min_runs: int,
    progress: Progress | None = None,
    clock: Clock = time.perf_counter_ns,
) -> tuple[Series, ...]:
    """The runs of all candidates, which take turns, at least ``min_runs`` each if ``timing`` leaves the time."""
    if not candidates:
        raise MeasurementError("there is nothing to time: give at least one candidate")
    progress = progress or Silent()
    with _no_garbage_collection():
        progress.stage("warming up", len(candidates))
        runners = []
        for candidate in candidates:
            runners.append(_Runner.warmed_up(candidate, timing, clock))
            progress.step()
        _interleave(runners, timing, min_runs, progress)
    return tuple(runner.series() for runner in runners)


def summarize(parts: Sequence[Series], confidence: float, keep_samples: bool = False) -> Latency:
    """One candidate's figures from its series, one a process. Raises MeasurementError for too few runs."""
    samples = np.concatenate([np.asarray(block, np.int64) for part in parts for block in part.blocks_ns])
    repeats = _repeats(parts)
    return Latency(
        name=parts[0].name,
        p50_ns=_figure(samples, repeats, 0.5, confidence),
        p90_ns=_figure(samples, repeats, 0.9, confidence),
        p99_ns=_figure(samples, repeats, 0.99, confidence) if len(samples) >= runs_needed(0.99, confidence) else None,
        min_ns=int(samples.min()),
        runs=len(samples),
        confidence=confidence,
        warm_up_runs=sum(part.warm_up_runs for part in parts),
        steady=all(part.steady for part in parts),
        processes=len(parts),
        repeats_ns=tuple(float(np.median(one)) for one in repeats),
        early_stopping=tuple(early_stopping(samples.tolist(), percentile) for percentile in (0.9, 0.99)),
        rounds_ns=tuple(tuple(statistics.median(block) for block in part.blocks_ns) for part in parts),
        samples_ns=tuple(samples.tolist()) if keep_samples else (),
    )


def ratio(candidate: Latency, baseline: Latency) -> Quantile:
    """Median time of ``candidate`` over that of ``baseline``, both of one run, round by round."""
    pairs = list(zip(candidate.rounds_ns, baseline.rounds_ns, strict=False))
    if len(candidate.rounds_ns) != len(baseline.rounds_ns) or any(len(one) != len(other) for one, other in pairs):
        raise MeasurementError(f"{candidate.name} and {baseline.name} were not measured in the same rounds")
    ratios = [np.asarray(one) / np.asarray(other) for one, other in pairs]
    repeats = ratios if len(ratios) > 1 else _stretches(ratios[0])
    apart = spread([float(np.median(one)) for one in repeats])
    return apart.interval(float(np.median(np.concatenate(ratios))), candidate.confidence, IN_TURNS)


def _repeats(parts: Sequence[Series]) -> list[NDArray[np.int64]]:
    """The samples of each process; of each stretch of time, where there is one process."""
    if len(parts) > 1:
        return [np.concatenate([np.asarray(block, np.int64) for block in part.blocks_ns]) for part in parts]
    blocks = parts[0].blocks_ns
    indices = _stretches(np.arange(len(blocks)))
    return [np.concatenate([np.asarray(blocks[index], np.int64) for index in stretch]) for stretch in indices]


def _stretches(rounds: NDArray[Any]) -> list[NDArray[Any]]:
    return np.array_split(rounds, min(10, len(rounds)))


def _figure(
    samples: NDArray[np.int64], repeats: Sequence[NDArray[np.int64]], probability: float, confidence: float
) -> Quantile:
    """The quantile of all samples. Its interval is the wider one of two: that of independent samples, and that of repetitions.

    Repetitions too short to have the quantile themselves lend the spread of their medians.
    """
    alone = quantile(samples, probability, confidence)
    own = probability if min(map(len, repeats)) >= 2 / (1 - probability) else 0.5
    apart = spread([float(np.quantile(one, own)) for one in repeats]).interval(alone.value, confidence)
    return Quantile(alone.value, min(alone.low, apart.low), max(alone.high, apart.high))


class _Runner:
    """A candidate and what was measured of it so far."""

    def __init__(self, candidate: Candidate, clock: Clock, warm_up: list[int], steady: bool, block_ns: int) -> None:
        self._candidate, self._clock, self._steady = candidate, clock, steady
        self._warm_up_runs = len(warm_up)
        settled = warm_up[
            -max(_WINDOW, len(warm_up) // 4) :
        ]  # more than the last few: others may have had the processor then
        self._calls_a_block = max(1, round(block_ns / max(1, statistics.median(settled))))
        self._blocks: list[tuple[int, ...]] = []
        self._runs = self._total_ns = 0

    @staticmethod
    def warmed_up(candidate: Candidate, timing: Timing, clock: Clock) -> _Runner:
        samples, steady = _warm_up(candidate.call, timing, clock)
        return _Runner(candidate, clock, samples, steady, timing.block_ns)

    def run_block(self) -> None:
        if self._calls_a_block > 1:
            self._candidate.call()
        block = _timed(self._candidate.call, self._calls_a_block, self._clock)
        self._blocks.append(tuple(block))
        self._runs += len(block)
        self._total_ns += sum(block)

    def finished(self, timing: Timing, min_runs: int) -> bool:
        seconds = self._total_ns / 1e9
        if self._runs >= timing.max_runs or seconds >= timing.max_seconds:
            return True
        return self._runs >= min_runs and len(self._blocks) >= _FEWEST_ROUNDS and seconds >= timing.min_seconds

    def series(self) -> Series:
        return Series(self._candidate.name, tuple(self._blocks), self._warm_up_runs, self._steady)


_WINDOW = 3
_FEWEST_WINDOWS = 4
_FEWEST_ROUNDS = 2


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


def _interleave(runners: Sequence[_Runner], timing: Timing, min_runs: int, progress: Progress) -> None:
    """Rounds until every candidate has enough; all of them run in every round, so that rounds can be compared."""
    shuffled = random.Random(timing.seed)
    expected = max(1, round(timing.min_seconds * 1e9 / timing.block_ns))
    progress.stage("timing", expected)
    while not all(runner.finished(timing, min_runs) for runner in runners):
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
