"""A rule that names nothing is an error, not a rule without effect."""

from __future__ import annotations

import pytest

from edgekit.errors import RecipeError
from edgekit.recipe import Precision, Rule
from edgekit_converters.quantize.rule_scopes import require_matching

NAMES = ("stem/conv", "head/dense", "head/softmax")


def test_a_scope_that_matches_one_name_is_enough() -> None:
    rules = [Rule("head/*", Precision.FLOAT32), Rule("stem/conv")]
    require_matching(rules, NAMES)
    with pytest.raises(RecipeError, match="'stem/conv'"):
        require_matching(rules, NAMES[1:])


def test_a_scope_that_matches_nothing_is_named_with_near_names() -> None:
    with pytest.raises(RecipeError, match=r"no node .* 'haed/dense'.*'head/dense'"):
        require_matching([Rule("head/*"), Rule("haed/dense", Precision.FLOAT32)], NAMES)


def test_without_near_names_the_first_ones_are_shown() -> None:
    with pytest.raises(RecipeError, match="'stem/conv', 'head/dense', 'head/softmax'"):
        require_matching([Rule("xyz")], NAMES)
