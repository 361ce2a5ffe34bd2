"""Patterns: what is asked for in text, and the weights that stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import RecipeError
from edgekit.recipe import Recipe, recipe_from_dict
from edgekit.sparsity import Sparsity, parse_sparsity
from edgekit_converters.sparsify.allocate import Curve, shares
from edgekit_converters.sparsify.patterns import fits, projection


def test_text_becomes_a_share_a_group_or_a_block_and_back() -> None:
    assert parse_sparsity("50%") == Sparsity(0.5)
    assert parse_sparsity("2:4") == Sparsity(0.5, group=4)
    assert parse_sparsity("1:4") == Sparsity(0.75, group=4)
    assert parse_sparsity("block=16x1:70%") == Sparsity(0.7, block=(16, 1))
    for text in ("62.5%", "1:4", "block=1x4:70%"):
        assert str(parse_sparsity(text)) == text


@pytest.mark.parametrize("text", ["half", "0%", "100%", "4:4", "0:4", "block=0x4:50%", "50"])
def test_text_that_is_no_sparsity_is_refused(text: str) -> None:
    with pytest.raises(RecipeError):
        parse_sparsity(text)
    with pytest.raises(RecipeError):
        Recipe(sparsify=text)


def test_the_last_matching_rule_wins() -> None:
    raw = {"sparsify": "50%", "rules": [{"scope": "head*", "sparsify": "none"}, {"scope": "*gemm", "sparsify": "2:4"}]}
    recipe = recipe_from_dict(raw, "test")
    assert recipe.sparsity_of("body") == Sparsity(0.5)
    assert recipe.sparsity_of("head") is None
    assert recipe.sparsity_of("head_gemm") == Sparsity(0.5, group=4)
    assert recipe.sparsifies


def test_without_any_sparsity_nothing_is_done() -> None:
    assert not Recipe().sparsifies
    assert not Recipe(sparsify="none").sparsifies


def test_n_of_m_keeps_the_largest_of_every_group() -> None:
    saliency = np.array([[[1, 4, 3, 2, 9, 0, 0, 8]]], np.float32)
    kept = projection(parse_sparsity("2:4"), 0.5, 8)(saliency)
    assert kept.astype(int).tolist() == [[[0, 1, 1, 0, 1, 0, 0, 1]]]


def test_a_share_drops_the_smallest_of_all_rows() -> None:
    saliency = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    kept = projection(Sparsity(0.5), 0.3, 5)(saliency)
    assert np.array_equal(kept, saliency >= 6)


def test_a_block_stays_or_goes_as_one() -> None:
    saliency = np.random.default_rng(0).random((1, 6, 10)).astype(np.float32)
    kept = projection(Sparsity(0.5, block=(4, 2)), 0.5, 10)(saliency)
    tiles = np.pad(kept, ((0, 0), (0, 2), (0, 0)), mode="edge")[0].reshape(2, 4, 5, 2)
    assert all(len(set(tile.ravel().tolist())) == 1 for tile in tiles.transpose(0, 2, 1, 3).reshape(-1, 8))
    assert kept.any()
    assert not kept.all()


@pytest.mark.parametrize(
    ("pattern", "kept"), [("2:4", [2, 2, 1]), ("1:4", [1, 1, 1]), ("3:4", [3, 3, 2]), ("6:8", [6, 2])]
)
def test_channels_behind_the_last_whole_group_keep_their_part_rounded_up(pattern: str, kept: list[int]) -> None:
    """Two positions of a kernel of ten channels: groups begin anew with each."""
    sparsity = parse_sparsity(pattern)
    saliency = np.random.default_rng(0).random((1, 3, 20)).astype(np.float32)
    mask = projection(sparsity, sparsity.share, 10)(saliency).reshape(6, 10)
    assert sparsity.group is not None
    found = [mask[:, start : start + sparsity.group].sum(axis=1) for start in range(0, 10, sparsity.group)]
    assert [sums.tolist() for sums in found] == [[count] * 6 for count in kept]
    assert sparsity.kept_of(10) == sum(kept)


@settings(deadline=None, max_examples=40)
@given(group=st.integers(2, 9), channels=st.integers(1, 40), data=st.data())
def test_filled_up_with_zeros_any_width_holds_the_pattern(group: int, channels: int, data: st.DataObject) -> None:
    kept = data.draw(st.integers(1, group - 1))
    sparsity = parse_sparsity(f"{kept}:{group}")
    saliency = np.random.default_rng(channels).random((2, 3, 2 * channels)).astype(np.float32)
    mask = projection(sparsity, sparsity.share, channels)(saliency).reshape(-1, channels)
    filled = np.pad(mask, ((0, 0), (0, -channels % group))).reshape(len(mask), -1, group)
    assert filled.sum(axis=-1).max() <= kept
    assert (mask.sum(axis=1) == sparsity.kept_of(channels)).all()
    assert sparsity.kept_of(channels) * group >= channels * kept


def test_n_of_m_fits_where_it_leaves_something_out_and_no_group_is_cut_in_two() -> None:
    two_of_four = parse_sparsity("2:4")
    assert fits(two_of_four, 16, 27, 3)
    assert fits(two_of_four, 16, 36, 4)
    assert not fits(two_of_four, 1, 9, 1)  # depthwise
    assert not fits(parse_sparsity("3:4"), 16, 18, 2)
    assert fits(two_of_four, 16, 1152, 256)  # half of a 3x3 kernel: four and a half times the channels
    assert not fits(two_of_four, 16, 1025, 2050)
    assert fits(parse_sparsity("50%"), 16, 27, 3)


def test_zeros_go_where_they_cost_least_and_add_up() -> None:
    dear = Curve(100, {0.2: 1.0, 0.5: 4.0, 0.9: 50.0})
    cheap = Curve(300, {0.2: 0.01, 0.5: 0.02, 0.9: 0.5})
    found = shares([dear, cheap], 0.5, 400)
    assert found[0] < found[1]
    assert 100 * found[0] + 300 * found[1] == pytest.approx(200)
