"""Agreement of two models' outputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.agreement import SQNR_OF_EQUAL_DB, AgreementMeter
from edgekit.errors import MeasurementError
from edgekit.figures import Agreement


def compared(x: Any, y: Any, parts: int = 1) -> Agreement:
    meter = AgreementMeter()
    for one, other in zip(np.array_split(np.asarray(x), parts), np.array_split(np.asarray(y), parts), strict=True):
        meter.update({"out": one}, {"out": other})
    return meter.result()


def test_figures_worked_by_hand() -> None:
    found = compared([[3.0, 4.0], [0.0, 10.0]], [[3.0, 4.0], [1.0, 10.0]])
    assert found.sqnr_db == pytest.approx(10 * math.log10(125 / 1))
    assert found.cosine == pytest.approx((1 + 10 / math.sqrt(101)) / 2)
    assert found.largest_error == 1.0
    assert found.equal_decisions == 1.0
    assert found.equal_values == 0.75
    assert found.equal_samples == 0.5
    assert found.samples == 2


def test_equal_outputs_reach_the_ceiling() -> None:
    found = compared([[3.0, 4.0]], [[3.0, 4.0]])
    assert (found.sqnr_db, found.cosine, found.largest_error, found.equal_samples) == (SQNR_OF_EQUAL_DB, 1.0, 0.0, 1.0)


def test_noise_on_silence_reaches_the_floor() -> None:
    assert compared([[0.0, 0.0]], [[0.0, 1.0]]).sqnr_db == -SQNR_OF_EQUAL_DB


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_batches_give_what_the_whole_gives(seed: int, parts: int) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(7, 3, 4))
    y = x + random.normal(size=x.shape) * (random.random(x.shape) < 0.5)
    whole, split = compared(x, y), compared(x, y, parts)
    assert split.sqnr_db == pytest.approx(whole.sqnr_db)
    assert split.cosine == pytest.approx(whole.cosine)
    for name in ("largest_error", "equal_decisions", "equal_values", "equal_samples"):
        assert getattr(split, name) == getattr(whole, name)


def test_integers_are_compared_without_wrapping() -> None:
    found = compared(np.array([[-128, 127]], np.int8), np.array([[127, 127]], np.int8))
    assert (found.largest_error, found.equal_values) == (255.0, 0.5)


def test_last_bits_of_float_arithmetic_are_no_difference_but_one_step_of_a_grid_is() -> None:
    x = np.float32([[0.1, 0.2, 1e-40, 25.4]])
    found = compared(x, np.float32([[0.1 + 5e-8, 0.2 * (1 + 2e-6), 0.0, 25.5]]))
    assert found.equal_values == 0.75
    assert found.sqnr_db < SQNR_OF_EQUAL_DB


def test_decisions_are_counted_a_position() -> None:
    x = np.eye(3)[[[0, 1], [2, 0]]]
    y = np.eye(3)[[[0, 1], [2, 1]]]
    assert compared(x, y).equal_decisions == 0.75
    assert compared([[1.0], [2.0]], [[1.0], [2.5]]).equal_decisions is None


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    found = compared([[1.0, 2.0], [3.0, 4.0]], [[1.0, math.nan], [math.inf, 4.0]])
    assert found.non_finite == 2
    assert found.equal_values == 0.5
    assert found.equal_samples == 0.0
    assert found.largest_error == 0.0


def outputs(**arrays: Any) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


def test_outputs_are_paired_by_name_else_by_order() -> None:
    one = outputs(a=[[1.0]], b=[[2.0, 3.0]])
    for other in (outputs(b=[[2.0, 3.0]], a=[[1.0]]), outputs(first=[[1.0]], second=[[[2.0, 3.0]]])):
        meter = AgreementMeter()
        meter.update(one, other)
        found = meter.result()
        assert [each.name for each in found.outputs] == ["a", "b"]
        assert found.equal_samples == 1.0


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (outputs(a=[[1.0]]), "one model has 2 outputs"),
        (outputs(a=[[1.0]], b=[[1.0, 2.0, 3.0]]), "output 'b' has shape"),
    ],
)
def test_outputs_that_cannot_be_paired_are_named(other: dict[str, NDArray[Any]], says: str) -> None:
    with pytest.raises(MeasurementError, match=says):
        AgreementMeter().update(outputs(a=[[1.0]], b=[[2.0, 3.0]]), other)


def test_nothing_compared_is_no_agreement() -> None:
    with pytest.raises(MeasurementError, match="no sample"):
        AgreementMeter().result()
