"""Layers that can't lose what was chosen are left alone, with the reason; the others stay in the choice."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import ConversionError
from edgekit_converters.prune.dependencies import Dependencies, Space
from edgekit_converters.training.followable import followable_as

ONE, OTHER = Space("one", np.arange(4), ("one",), 1), Space("other", np.arange(4, 8), ("other",), 1)
FOUND = Dependencies(8, (), (), {}, (ONE, OTHER), ())
STAYS = FOUND.without([0, 1, 4])


def test_a_layer_that_fails_with_what_was_chosen_is_left_alone() -> None:
    def trial(stays: np.ndarray) -> None:
        if not stays[ONE.units].all():
            raise ConversionError("halves of different sizes")

    found, failing = followable_as(FOUND, STAYS, trial)
    assert [space.name for space in found.spaces] == ["other"]
    assert failing == {"one": "halves of different sizes"}


def test_nothing_is_left_alone_where_the_choice_works() -> None:
    found, failing = followable_as(FOUND, STAYS, lambda stays: None)
    assert (found, failing) == (FOUND, {})


def test_layers_that_fail_together_alone_are_an_error() -> None:
    def trial(stays: np.ndarray) -> None:
        if not stays[ONE.units].all() and not stays[OTHER.units].all():
            raise ConversionError("only together")

    with pytest.raises(ConversionError, match="only together"):
        followable_as(FOUND, STAYS, trial)
