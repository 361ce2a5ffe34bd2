"""Intervals from repetitions: on drifting and resembling samples, where naive ones fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.errors import MeasurementError
from edgekit.quantiles import quantile
from edgekit.repeats import difference, flicker, spread


def flicker_noise(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Noise with a spectrum of 1/f."""
    spectrum = np.fft.rfft(generator.standard_normal(count))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / noise.std())


def machine(generator: np.random.Generator, runs: int, processes: int, drift: float = 0.007) -> NDArray[np.float64]:
    """Medians of the processes of runs in a row, which vary by a percent each and drift as well."""
    count = runs * processes
    chance = generator.standard_normal(count) * 0.01
    return np.exp(chance + drift * flicker_noise(generator, count)).reshape(runs, processes) * 42e3


def test_the_spread_of_two_is_their_distance() -> None:
    found = spread([100.0, 100.0 * math.e])
    assert (found.relative, found.count, found.degrees) == (pytest.approx(math.sqrt(0.5)), 2, 1)


def test_one_odd_process_of_eight_moves_the_interval_little() -> None:
    usual = spread([42.0, 42.1, 42.2, 42.3, 42.4, 42.5, 42.6, 42.7])
    odd = spread([42.0, 42.1, 42.2, 42.3, 42.4, 42.5, 42.6, 59.0])
    assert odd.relative == pytest.approx(usual.relative)


def test_intervals_of_one_run_hold_the_median_of_twenty_runs() -> None:
    generator = np.random.default_rng(1)
    held, naive = [], []
    for _ in range(60):
        runs = machine(generator, 20, 10)
        pooled = float(np.median(runs))
        for run in runs:
            found = spread(run).interval(float(np.median(run)), 0.9)
            held.append(found.low <= pooled <= found.high)
            calls = np.repeat(run, 400) * (1 + generator.standard_normal(4000) * 0.005)
            alone = quantile(calls, 0.5, 0.9)
            naive.append(alone.low <= pooled <= alone.high)
    assert sum(held) / len(held) > 0.9
    assert sum(naive) / len(naive) < 0.3, "the binomial interval alone would do: the test's machine is too kind"


def test_a_against_a_is_no_difference() -> None:
    generator = np.random.default_rng(2)
    same = []
    for _ in range(60):
        old, new = machine(generator, 20, 10)[[0, 19]]
        ratio = difference(spread(old), spread(new), float(np.median(new) / np.median(old)), 0.95)
        same.append(ratio.low <= 1 <= ratio.high)
    assert sum(same) / len(same) >= 0.95


def test_a_tenth_slower_is_a_difference() -> None:
    generator = np.random.default_rng(3)
    found = []
    for _ in range(40):
        old, new = machine(generator, 2, 10)
        found.append(
            difference(spread(old), spread(1.1 * new), 1.1 * float(np.median(new) / np.median(old)), 0.95).low > 1
        )
    assert sum(found) / len(found) > 0.95


def test_flicker_is_worse_for_a_run_that_saw_less_of_it() -> None:
    assert flicker(500) == 1.0
    assert flicker(2) > flicker(10) > 1.0


def test_runs_without_any_spread_have_an_exact_ratio() -> None:
    found = difference(spread([5.0, 5.0]), spread([6.0, 6.0]), 1.2, 0.95)
    assert (found.low, found.high) == (1.2, 1.2)


def test_a_single_repetition_is_refused() -> None:
    with pytest.raises(MeasurementError, match="Measure longer, or in more processes"):
        spread([1.0])
