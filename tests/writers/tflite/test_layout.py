"""Permutations between logical and physical axes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekit_converters.writers.tflite.layout import (
    axis_last,
    between,
    channels_last,
    compose,
    identity,
    inverse,
    moves_data,
    permuted,
    reshaped,
)

PERMUTATIONS = st.integers(1, 5).flatmap(lambda rank: st.permutations(range(rank))).map(tuple)


def test_channels_last_moves_the_channels_behind_the_spatial_axes() -> None:
    assert channels_last(4) == (0, 2, 3, 1)
    assert channels_last(3) == (0, 2, 1)
    assert channels_last(2) == (0, 1)


@given(permutation=PERMUTATIONS)
def test_a_permutation_and_its_inverse_cancel(permutation: tuple[int, ...]) -> None:
    assert compose(permutation, inverse(permutation)) == identity(len(permutation))


@given(pair=st.integers(1, 4).flatmap(lambda rank: st.tuples(*[st.permutations(range(rank))] * 2)))
def test_between_is_the_transposition_from_one_layout_to_the_other(pair: tuple[list[int], list[int]]) -> None:
    source, target = (tuple(permutation) for permutation in pair)
    array = np.arange(np.prod(range(2, 2 + len(source)))).reshape(range(2, 2 + len(source)))
    moved = array.transpose(source).transpose(between(source, target))
    np.testing.assert_array_equal(moved, array.transpose(target))


def test_only_axes_of_more_than_one_element_move_data() -> None:
    assert not moves_data((1, 8, 1, 1), (0, 2, 3, 1))
    assert not moves_data((1, 1, 5, 6), (0, 2, 3, 1))
    assert moves_data((1, 8, 5, 6), (0, 2, 3, 1))


def test_axis_last_moves_one_axis_to_the_end() -> None:
    assert axis_last((0, 1, 2, 3), 1) == (0, 2, 3, 1)
    assert axis_last((0, 2, 3, 1), 1) == (0, 2, 3, 1)


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    factors = draw(st.lists(st.sampled_from([1, 1, 2, 3, 4]), min_size=1, max_size=6))
    shape, target = (_grouped(draw, factors) for _ in range(2))
    return shape, target, tuple(draw(st.permutations(range(len(shape)))))


def _grouped(draw: st.DrawFn, factors: list[int]) -> tuple[int, ...]:
    """Neighbouring factors multiplied together here and there."""
    shape = [factors[0]]
    for factor in factors[1:]:
        if draw(st.booleans()):
            shape.append(factor)
        else:
            shape[-1] *= factor
    return tuple(shape)


@given(case=reshapes())
def test_a_reshape_that_keeps_its_data_in_place_gives_the_same_numbers(
    case: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> None:
    shape, target, layout = case
    array = np.arange(np.prod(shape)).reshape(shape)
    kept = reshaped(shape, target, layout)
    if kept is None:
        assert layout != identity(len(shape))
    else:
        physical = array.transpose(layout).reshape(permuted(target, kept))
        np.testing.assert_array_equal(physical, array.reshape(target).transpose(kept))


def test_splitting_the_channels_of_a_channels_last_tensor_moves_nothing() -> None:
    assert reshaped((1, 8, 5, 6), (1, 2, 4, 5, 6), (0, 2, 3, 1)) == (0, 3, 4, 1, 2)


def test_flattening_a_channels_last_tensor_moves_data() -> None:
    assert reshaped((1, 8, 5, 6), (1, 240), (0, 2, 3, 1)) is None
