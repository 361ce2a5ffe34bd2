"""Quantiles and their intervals, against tables and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import MeasurementError
from edgekit.quantiles import Quantile, quantile, runs_needed


def test_ranks_of_a_median_are_those_of_the_binomial_table() -> None:
    # For n = 20, P(B <= 5) = .0207 and P(B <= 14) = .9793: the 95 % interval of the median is (x_6, x_15).
    found = quantile(range(1, 21), 0.5, 0.95)
    assert (found.low, found.value, found.high) == (6, 10, 15)


@pytest.mark.parametrize(("probability", "runs"), [(0.5, 6), (0.9, 36), (0.99, 368)])
def test_runs_needed_make_the_tail_small_enough(probability: float, runs: int) -> None:
    assert runs_needed(probability) == runs
    assert probability**runs <= 0.025 < probability ** (runs - 1)


@pytest.mark.parametrize("probability", [0.5, 0.9, 0.99])
def test_one_run_less_than_needed_is_refused(probability: float) -> None:
    needed = runs_needed(probability)
    assert quantile(range(needed), probability).high == needed - 1
    with pytest.raises(MeasurementError, match=f"it needs {needed}"):
        quantile(range(needed - 1), probability)


@pytest.mark.parametrize(("probability", "runs"), [(0.5, 40), (0.9, 60), (0.99, 500)])
def test_the_interval_covers_the_true_quantile_as_often_as_it_says(probability: float, runs: int) -> None:
    draws = np.random.default_rng(1).lognormal(size=(2000, runs))
    truth = float(np.exp({0.5: 0.0, 0.9: 1.2815516, 0.99: 2.3263479}[probability]))
    intervals = [quantile(row, probability) for row in draws]
    covered = sum(found.low <= truth <= found.high for found in intervals) / len(draws)
    assert covered >= 0.945  # 2000 draws: two standard errors below .955 at most


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.1, 1e9), min_size=40, max_size=200), st.sampled_from([0.5, 0.9]))
def test_the_estimate_lies_in_its_interval_and_both_are_samples(samples: list[float], probability: float) -> None:
    found = quantile(samples, probability)
    assert found.low <= found.value <= found.high
    assert {found.low, found.value, found.high} <= set(samples)


def test_the_rate_of_a_time_has_its_ends_swapped() -> None:
    assert Quantile(2.0, 1.0, 4.0).inverse(8.0) == Quantile(4.0, 2.0, 8.0)
    assert Quantile(2.0, 1.0, 4.0).times(0.5) == Quantile(1.0, 0.5, 2.0)


def test_a_large_sample_does_not_overflow() -> None:
    found = quantile(np.arange(200_000), 0.9)
    assert found.low < 180_000 < found.high
    assert found.high - found.low < 1200
