"""Observers against what numpy says when it holds all values at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edgekit.errors import DatasetError
from edgekit.recipe import Observer
from edgekit_converters.quantize.observers import HistogramObserver, make_observer
from edgekit_converters.quantize.observers_choice import expected_error, least_squares_range, percentile_range
from edgekit_converters.quantize.observers_histogram import BINS, Histogram

FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)
ARRAYS = hnp.arrays(np.float32, st.integers(1, 300), elements=FLOATS)
HISTOGRAM_OBSERVERS = (Observer.PERCENTILE, Observer.ENTROPY, Observer.MEAN_SQUARED_ERROR)


def observed(kind: Observer, *batches: NDArray[np.float32]) -> tuple[float, float]:
    observer = make_observer(kind, "tensor")
    for batch in batches:
        observer.update(batch)
    return observer.range()


def true_error(values: NDArray[np.float32], low: float, high: float) -> float:
    """Mean squared error of an asymmetric 8-bit encoding of ``values``, value by value."""
    scale = (high - low) / 255
    zero_point = np.rint(-low / scale)
    integers = np.clip(np.rint(values / scale) + zero_point, 0, 255)
    return float(np.mean((values - scale * (integers - zero_point)) ** 2))


@given(st.lists(ARRAYS, min_size=1, max_size=4))
@settings(deadline=None, max_examples=50)
def test_a_histogram_counts_every_value_in_its_bin_however_it_has_grown(batches: list[NDArray[np.float32]]) -> None:
    histogram = Histogram()
    for batch in batches:
        histogram.add(batch, float(batch.min()), float(batch.max()))
    values = np.concatenate(batches).astype(np.float64)
    assert histogram.counts.sum() == values.size
    # A value within a float32 rounding of an edge may be counted on its other side.
    rounding = BINS * histogram.width * 2.0**-23
    cumulated = np.cumsum(histogram.counts)
    values.sort()
    certain = np.searchsorted(values, histogram.edges[1:] - rounding)
    possible = np.searchsorted(values, histogram.edges[1:] + rounding)
    assert (certain <= cumulated).all()
    assert (cumulated <= possible).all()


@given(st.lists(ARRAYS, min_size=2, max_size=4))
@settings(deadline=None, max_examples=50)
def test_the_order_of_the_batches_does_not_change_a_histogram(batches: list[NDArray[np.float32]]) -> None:
    forward, backward = Histogram(), Histogram()
    for batch in batches:
        forward.add(batch, float(batch.min()), float(batch.max()))
    for batch in reversed(batches):
        backward.add(batch, float(batch.min()), float(batch.max()))
    assert forward.width == backward.width
    np.testing.assert_array_equal(forward.edges, backward.edges)
    assert forward.counts.sum() == backward.counts.sum()


@given(st.lists(ARRAYS, min_size=1, max_size=4), st.sampled_from(list(Observer)))
@settings(deadline=None, max_examples=50)
def test_every_range_lies_inside_what_was_seen_or_zero(batches: list[NDArray[np.float32]], kind: Observer) -> None:
    low, high = observed(kind, *batches)
    values = np.concatenate(batches)
    assert min(float(values.min()), 0.0) <= low <= high <= max(float(values.max()), 0.0)


@given(st.lists(ARRAYS, min_size=1, max_size=4))
@settings(deadline=None, max_examples=50)
def test_min_max_covers_all_values_exactly(batches: list[NDArray[np.float32]]) -> None:
    values = np.concatenate(batches)
    assert observed(Observer.MIN_MAX, *batches) == (values.min(), values.max())


def test_moving_average_is_the_mean_of_the_samples_extremes_while_there_are_few() -> None:
    first = np.array([[-1.0, 2.0], [-3.0, 4.0]], np.float32)
    assert observed(Observer.MOVING_AVERAGE, first, np.array([[-5.0, 9.0]], np.float32)) == (-3.0, 5.0)


def test_moving_average_does_not_depend_on_the_batch_size() -> None:
    values = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)
    assert observed(Observer.MOVING_AVERAGE, values) == observed(Observer.MOVING_AVERAGE, *np.split(values, 100))


@pytest.mark.parametrize("shape", ["normal", "relu", "heavy", "shifted"])
def test_percentile_agrees_with_numpy_to_a_bin(shape: str) -> None:
    values = distribution(shape)
    histogram = Histogram()
    histogram.add(values, float(values.min()), float(values.max()))
    found = percentile_range(histogram, 99.0)
    np.testing.assert_allclose(found, np.percentile(values, [0.5, 99.5]), atol=2 * histogram.width)


@pytest.mark.parametrize("shape", ["normal", "relu", "heavy", "shifted"])
def test_the_least_squares_range_is_as_good_as_a_brute_force_search_over_the_values(shape: str) -> None:
    values = distribution(shape)
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    found = observed(Observer.MEAN_SQUARED_ERROR, *np.split(values, 10))
    grid = [(low * below, high * above) for below in FRACTIONS for above in FRACTIONS]
    best = min(true_error(values, *ends) for ends in grid if ends[1] > ends[0])
    assert true_error(values, *found) <= 1.01 * best


FRACTIONS = np.linspace(0.02, 1.0, 50)


def test_the_least_squares_range_clips_a_lonely_outlier_and_keeps_a_saturated_end() -> None:
    values = np.random.default_rng(3).normal(size=1_000_000).astype(np.float32)
    values[17] = 30.0
    assert observed(Observer.MEAN_SQUARED_ERROR, *np.split(values, 100))[1] < 15.0
    saturated = np.clip(4 * distribution("normal"), 0.0, 6.0)
    assert observed(Observer.MEAN_SQUARED_ERROR, saturated)[1] == pytest.approx(6.0, rel=0.01)


@given(hnp.arrays(np.float64, 20, elements=st.floats(-50, 50)), st.floats(-20, 0), st.floats(0.5, 20))
@settings(deadline=None, max_examples=50)
def test_the_expected_error_is_that_of_encoding_each_value(
    values: NDArray[np.float64], low: float, high: float
) -> None:
    found = expected_error(values, np.ones(20), np.array([low]), np.array([high]))
    assert found[0] / 20 == pytest.approx(true_error(values.astype(np.float64), low, high), rel=1e-6, abs=1e-9)  # type: ignore[arg-type]


def test_entropy_keeps_a_uniform_tensor_whole_and_clips_a_long_tail() -> None:
    uniform = np.random.default_rng(1).uniform(0, 1, 100_000).astype(np.float32)
    assert observed(Observer.ENTROPY, uniform)[1] > 0.95
    tail = distribution("heavy")
    low, high = observed(Observer.ENTROPY, tail)
    assert high < 0.8 * tail.max()
    assert low >= tail.min()


@pytest.mark.parametrize("kind", list(Observer))
def test_a_first_batch_of_zeros_does_not_spoil_the_range(kind: Observer) -> None:
    values = distribution("relu")
    ends = observed(kind, np.zeros(10, np.float32), values[None])
    if kind is Observer.MOVING_AVERAGE:
        assert 0.0 == ends[0] < ends[1]
    else:
        np.testing.assert_allclose(ends, observed(kind, values), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", list(Observer))
@pytest.mark.parametrize("constant", [0.0, 3.5, -2.25, 1e-30, -3e38])
def test_a_constant_tensor_gives_a_range_that_holds_it(kind: Observer, constant: float) -> None:
    low, high = observed(kind, np.full((4, 5), constant, np.float32))
    reach = constant if constant else 1.0
    assert min(low, 0.0) <= max(high, 0.0)
    assert max(abs(low), abs(high)) == pytest.approx(abs(constant), rel=1e-3, abs=1e-3 * abs(reach))


@pytest.mark.parametrize("kind", list(Observer))
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_names_the_tensor(kind: Observer, bad: float) -> None:
    observer = make_observer(kind, "conv_7:out")
    observer.update(np.ones(3, np.float32))
    with pytest.raises(DatasetError, match="conv_7:out"):
        observer.update(np.array([1.0, bad, 2.0], np.float32))


@pytest.mark.parametrize("kind", list(Observer))
def test_a_tensor_that_was_never_seen_is_an_error(kind: Observer) -> None:
    observer = make_observer(kind, "lonely")
    observer.update(np.zeros((0, 3), np.float32))
    with pytest.raises(DatasetError, match="lonely"):
        observer.range()


def test_a_large_tensor_is_sampled_without_leaving_out_a_channel_and_with_exact_extremes() -> None:
    values = np.ones((8, 96, 40, 40), np.float32)
    values[:, 95] = 7.0
    values[3, 5, 1, 1] = -1000.0
    observer = HistogramObserver("wide", least_squares_range)
    observer.update(values)
    assert observer.seen == (-1000.0, 7.0)
    histogram = observer.histogram
    sevens = histogram.counts[np.searchsorted(histogram.edges, 7.0, side="right") - 1]
    assert sevens / histogram.counts.sum() == pytest.approx(1 / 96, rel=0.05)


def distribution(shape: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    normal = rng.normal(size=40_000)
    made = {
        "normal": normal,
        "relu": np.maximum(normal, 0.0),
        "heavy": rng.standard_t(3, 40_000) * np.where(normal > 0, 2.0, 0.5),
        "shifted": normal * 0.1 + 3.0,
    }
    return made[shape].astype(np.float32)
