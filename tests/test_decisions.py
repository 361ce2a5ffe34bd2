"""What counts as a decision: the largest of several numbers, unless the outputs show that it means nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.agreement import AgreementMeter
from edgekit.decisions import Decisions, share_of_equal
from edgekit.figures import MetricKind


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


def normalized(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers / powers.sum(axis=-1, keepdims=True)


def share(reference: np.ndarray, inputs: tuple[tuple[int, ...], ...] = ()) -> float | None:
    found = Decisions()
    for part in np.array_split(reference, 2):
        found.add(part, part, inputs)
    return share_of_equal([found])


@pytest.mark.parametrize(
    ("case", "reference", "inputs"),
    [
        ("logits", drawn(6, 10), ((64,),)),
        ("tags of words", drawn(6, 9, 5), ()),
        ("logits of pixels, channels last", drawn(2, 8, 8, 21), ((8, 8, 3),)),
        ("probabilities of pixels of two classes", softmax(drawn(2, 8, 8, 2)), ((8, 8, 2),)),
        ("probabilities, all but certain", softmax(50 * drawn(6, 4)), ()),
    ],
)
def test_outputs_that_decide(case: str, reference: np.ndarray, inputs: Any) -> None:
    assert share(reference, inputs) == 1.0, case


@pytest.mark.parametrize(
    ("case", "reference", "inputs"),
    [
        ("one number", drawn(6, 1), ()),
        ("an autoencoder", drawn(6, 640), ((640,),)),
        ("an embedding", normalized(drawn(6, 32)), ()),
        ("a picture, channels first", drawn(2, 3, 16, 16), ((32,),)),
        ("a picture, channels last", drawn(2, 16, 16, 3), ((8, 8, 3),)),
    ],
)
def test_outputs_that_decide_nothing(case: str, reference: np.ndarray, inputs: Any) -> None:
    assert share(reference, inputs) is None, case


@given(st.integers(1, 40), st.integers(2, 9), st.integers(0, 2**16), st.floats(0.002, 0.01))
def test_an_embedding_in_8_bits_is_still_one(rows: int, width: int, seed: int, step: float) -> None:
    rows_of_one = normalized(np.random.default_rng(seed).standard_normal((rows, width)) - 0.5)
    found = Decisions()
    found.add(np.round(rows_of_one / step) * step, rows_of_one)
    assert not found.decided or (rows_of_one >= 0).all()


def meter(metric: MetricKind | None, feeds: np.ndarray, outputs: np.ndarray) -> float | None:
    made = AgreementMeter(metric)
    made.update({"y": outputs}, {"y": outputs}, {"x": feeds})
    return made.result().equal_decisions


def test_the_metric_says_what_shapes_leave_open() -> None:
    """Ten features and ten classes look like a reconstruction; four numbers look like logits."""
    assert meter(None, drawn(6, 10), drawn(6, 10)) is None
    assert meter(MetricKind("top1"), drawn(6, 10), drawn(6, 10)) == 1.0
    assert meter(None, drawn(6, 10), drawn(6, 4)) == 1.0
    assert meter(MetricKind("mse", higher_is_better=False, points_per_unit=None), drawn(6, 10), drawn(6, 4)) is None


def test_outputs_that_decide_nothing_do_not_count_beside_those_that_do() -> None:
    made = AgreementMeter()
    logits, pictures = drawn(4, 5), drawn(4, 3, 8, 8)
    made.update({"y": logits, "picture": pictures}, {"y": logits, "picture": -pictures})
    found = made.result()
    assert found.equal_decisions == 1.0
    assert [output.equal_decisions for output in found.outputs] == [1.0, None]
