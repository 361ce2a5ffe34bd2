"""Timing with a clock of our own, so that every figure is known beforehand."""

from __future__ import annotations

import gc
import random
import time

import pytest
from made_clock import Watch

from edgekit.errors import MeasurementError
from edgekit.latency import Candidate, Timing, measure, ratio

QUICK = Timing(min_seconds=0.2, max_seconds=10.0)


def test_a_constant_call_has_exact_quantiles() -> None:
    watch = Watch()
    [result] = measure([watch.candidate("a", 2_000_000)], QUICK, clock=watch)
    assert result.p50_ns.value == result.p50_ns.low == result.p90_ns.high == result.min_ns == 2_000_000
    assert result.steady
    assert result.runs == 100  # .2 s of 2 ms


def test_p90_sees_the_slow_tenth() -> None:
    watch = Watch()
    [result] = measure([watch.candidate("a", *[1_000_000] * 8, 5_000_000, 5_000_000)], QUICK, clock=watch)
    assert result.p50_ns.value == 1_000_000
    assert result.p90_ns.value == 5_000_000


def test_a_slow_first_phase_is_warmed_away() -> None:
    watch = Watch()
    cold = [30_000_000 - 2_000_000 * n for n in range(10)]
    [result] = measure([watch.candidate("a", *cold, *[1_000_000] * 100_000)], QUICK, clock=watch)
    assert result.p90_ns.high == 1_000_000
    assert result.warm_up_runs > 10


def test_calls_that_lost_the_processor_at_the_end_of_the_warm_up_do_not_shorten_the_blocks() -> None:
    watch = Watch()
    warm_up = [
        *[1_000_000] * 78,
        *[30_000_000] * 3,
    ]  # four windows of 20 ms; others had the processor in the last three calls
    [result] = measure([watch.candidate("a", *warm_up, *[1_000_000] * 100_000)], QUICK, clock=watch)
    assert result.warm_up_runs == len(warm_up)
    assert len(result.rounds_ns[0]) == 10  # .2 s in blocks of 20 ms


def test_a_call_that_never_settles_is_reported_as_unsteady() -> None:
    watch = Watch()
    generator = random.Random(3)
    times = [generator.randint(1_000_000, 30_000_000) for _ in range(997)]
    [result] = measure([watch.candidate("a", *times)], Timing(min_seconds=0.2, warm_up_seconds=0.5), clock=watch)
    assert not result.steady


def test_slow_calls_are_run_until_a_p90_can_be_bounded() -> None:
    watch = Watch()
    [result] = measure([watch.candidate("a", 100_000_000)], QUICK, clock=watch)
    assert result.runs == 64  # what MLPerf's rule asks for a p90
    assert result.p99_ns is None


def test_p99_is_given_once_the_sample_supports_it() -> None:
    watch = Watch()
    [result] = measure([watch.candidate("a", 100_000)], QUICK, clock=watch)
    assert result.runs >= 368
    assert result.p99_ns is not None


def test_too_little_time_for_a_p90_is_an_error_with_the_remedy() -> None:
    watch = Watch()
    with pytest.raises(MeasurementError, match="Measure longer"):
        measure([watch.candidate("a", 1_000_000_000)], Timing(max_seconds=5.0), clock=watch)


def test_candidates_take_turns_in_a_random_but_repeatable_order() -> None:
    def blocks() -> list[str]:
        watch = Watch()
        measure([watch.candidate("a", 25_000_000), watch.candidate("b", 25_000_000)], QUICK, clock=watch)
        return watch.order[-60:]

    first = blocks()
    assert first == blocks()
    pairs = list(zip(first[::2], first[1::2], strict=True))
    assert all(set(pair) == {"a", "b"} for pair in pairs)
    assert len(set(pairs)) == 2


def test_the_ratio_of_two_candidates_ignores_a_common_drift() -> None:
    watch = Watch()

    def drifting(name: str, factor: int) -> Candidate:
        """A machine that gets slower all the time: by half within the measurement."""
        return Candidate(name, lambda: setattr(watch, "now", watch.now + factor * (1_000_000 + watch.now // 1000)))

    slow, fast = measure([drifting("slow", 2), drifting("fast", 1)], QUICK, clock=watch)
    found = ratio(slow, fast)
    assert found.value == pytest.approx(2.0, rel=0.03)
    assert found.high - found.low < 0.2


def test_samples_are_kept_on_request_only() -> None:
    watch = Watch()
    [result] = measure([watch.candidate("a", 2_000_000)], QUICK, clock=watch)
    assert result.samples_ns == ()
    [kept] = measure([watch.candidate("a", 2_000_000)], QUICK, keep_samples=True, clock=watch)
    assert len(kept.samples_ns) == kept.runs


def test_garbage_collection_waits_and_returns() -> None:
    seen: list[bool] = []
    measure([Candidate("a", lambda: seen.append(gc.isenabled()) or time.sleep(0.001))], Timing(min_seconds=0.05))
    assert not any(seen)
    assert gc.isenabled()


def test_nothing_to_time_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="at least one candidate"):
        measure([])


def test_a_real_sleep_is_timed_as_long_as_it_takes() -> None:
    [result] = measure([Candidate("sleep", lambda: time.sleep(0.005))], Timing(min_seconds=0.2, warm_up_seconds=0.3))
    assert result.p50_ns.value >= 5_000_000  # sleepers are never woken early
