"""Which weights an amount leaves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgekit.errors import UsageError
from edgekit.prune.amount import Fraction, NofM, parse_amount, parse_share


def test_a_fraction_leaves_the_largest_magnitudes():
    weights = np.array([[1.0, -4.0, 0.5], [3.0, -2.0, 0.1]])
    assert Fraction(0.5).mask(weights, 1.0).tolist() == [[False, True, False], [True, True, False]]


def test_n_of_m_leaves_the_largest_of_each_group():
    weights = np.array([[1.0, -4.0, 0.5, 3.0, 0.1, 0.2, 0.4, -0.3]])
    assert NofM(2, 4).mask(weights, 1.0).tolist() == [[False, True, False, True, False, False, True, True]]


def test_groups_that_lose_least_are_pruned_first():
    weights = np.array([[1.0, -4.0, 0.5, 3.0, 0.1, 0.2, 0.4, -0.3]])  # they lose 1.5 and 0.3
    assert NofM(2, 4).mask(weights, 0.5).tolist() == [[True] * 4 + [False, False, True, True]]


def test_nothing_is_pruned_before_anything_is_due():
    weights = np.ones((3, 4))
    assert Fraction(0.9).mask(weights, 0.0).all()
    assert NofM(1, 4).mask(weights, 0.0).all()


@given(arrays(np.float32, (4, 8), elements=st.floats(-9, 9, width=32)), st.integers(1, 3))
def test_every_group_keeps_n_and_none_that_goes_is_larger(weights, kept):
    mask = NofM(kept, 4).mask(weights, 1.0).reshape(-1, 4)
    magnitudes = np.abs(weights).reshape(-1, 4)
    assert (mask.sum(axis=1) == kept).all()
    for group, stays in zip(magnitudes, mask, strict=True):
        assert group[~stays].max() <= group[stays].min()


@given(arrays(np.float32, (5, 7), elements=st.floats(-9, 9, width=32)), st.floats(0.1, 0.9))
def test_a_fraction_prunes_as_many_as_it_says(weights, sparsity):
    assert np.count_nonzero(~Fraction(sparsity).mask(weights, 1.0)) == round(sparsity * 35)


def test_amounts_are_told_as_text():
    assert parse_amount("50%") == Fraction(0.5)
    assert parse_amount(" 2:4 ") == NofM(2, 4)
    assert parse_share("12.5 %") == 0.125


@pytest.mark.parametrize("text", ["50", "4:2", "0%", "100%", "half", "2:4:8"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(UsageError, match="expected"):
        parse_amount(text)


@pytest.mark.parametrize("text", ["0%", "100%", "150 %", "2:4"])
def test_what_is_no_share_of_channels_is_refused(text):
    with pytest.raises(UsageError, match="expected"):
        parse_share(text)
