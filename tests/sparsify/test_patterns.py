"""Patterns: what is asked for in text, and the weights that stay."""

from __future__ import annotations

import numpy as np
import pytest

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
    kept = projection(parse_sparsity("2:4"), 0.5)(saliency)
    assert kept.astype(int).tolist() == [[[0, 1, 1, 0, 1, 0, 0, 1]]]


def test_a_share_drops_the_smallest_of_all_rows() -> None:
    saliency = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    kept = projection(Sparsity(0.5), 0.3)(saliency)
    assert np.array_equal(kept, saliency >= 6)


def test_a_block_stays_or_goes_as_one() -> None:
    saliency = np.random.default_rng(0).random((1, 6, 10)).astype(np.float32)
    kept = projection(Sparsity(0.5, block=(4, 2)), 0.5)(saliency)
    tiles = np.pad(kept, ((0, 0), (0, 2), (0, 0)), mode="edge")[0].reshape(2, 4, 5, 2)
    assert all(len(set(tile.ravel().tolist())) == 1 for tile in tiles.transpose(0, 2, 1, 3).reshape(-1, 8))
    assert kept.any()
    assert not kept.all()


def test_three_input_channels_hold_no_groups_of_four() -> None:
    assert not fits(parse_sparsity("2:4"), 16, 27, 3)
    assert fits(parse_sparsity("2:4"), 16, 36, 4)
    assert fits(parse_sparsity("50%"), 16, 27, 3)


def test_zeros_go_where_they_cost_least_and_add_up() -> None:
    dear = Curve(100, {0.2: 1.0, 0.5: 4.0, 0.9: 50.0})
    cheap = Curve(300, {0.2: 0.01, 0.5: 0.02, 0.9: 0.5})
    found = shares([dear, cheap], 0.5, 400)
    assert found[0] < found[1]
    assert 100 * found[0] + 300 * found[1] == pytest.approx(200)
