"""Tags survive what exporters, readers and folding do to parameters."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import ConversionError
from edgekit_converters.training.parameters import Mark, Parameter
from edgekit_converters.training.tags import NONE, Tags

WEIGHT, BIAS, OFFSET = Parameter("w", (300, 40)), Parameter("b", (300,)), Parameter("beta", (300,), Mark.OFFSET)
TAGS = Tags.of([WEIGHT, BIAS, OFFSET])


def test_every_element_is_found_again_by_its_number():
    for parameter in (WEIGHT, BIAS, OFFSET):
        assert TAGS.ids(TAGS.values(parameter)).reshape(-1).tolist() == list(TAGS.range_of(parameter))


def test_what_a_reader_scales_is_found_again():
    scaled = Tags.of([Parameter("query", (300, 40), factor=5**-0.5)])
    (query,) = scaled.parameters
    assert (scaled.ids(scaled.values(query) * np.float32(5**-0.5)).reshape(-1) == np.arange(300 * 40)).all()


def test_movements_of_data_move_the_numbers():
    moved = np.concatenate([TAGS.values(WEIGHT).T[:, 10:20], np.zeros((40, 3), np.float32)], axis=1)
    wanted = np.arange(300 * 40).reshape(300, 40).T[:, 10:20]
    found = TAGS.ids(moved)
    assert (found[:, :10] == wanted).all()
    assert (found[:, 10:] == NONE).all()


def test_a_folded_batch_normalization_changes_no_number():
    variance = TAGS.values(Parameter("v", (300,), Mark.VARIANCE, epsilon=1e-3)).astype(np.float64)
    factor = 1.0 / np.sqrt(variance + 1e-3)
    assert (factor != 1).all()
    folded = (TAGS.values(WEIGHT) * factor[:, None]).astype(np.float32)
    assert (TAGS.ids(folded) == TAGS.ids(TAGS.values(WEIGHT))).all()


def test_the_sum_of_a_bias_and_an_offset_is_the_offset():
    summed = TAGS.values(BIAS).astype(np.float64) + TAGS.values(OFFSET)
    assert (TAGS.ids(summed.astype(np.float32)) == TAGS.ids(TAGS.values(OFFSET))).all()


def test_numbers_of_the_network_itself_are_no_tags():
    assert (TAGS.ids(np.array([0, -1, np.inf, np.nan, 3e38, 1e-30], np.float32)) == NONE).all()


def test_a_network_that_is_too_large_is_refused():
    with pytest.raises(ConversionError, match="edgekit convert --prune"):
        Tags.of([Parameter("w", (40_000, 1_000))])
