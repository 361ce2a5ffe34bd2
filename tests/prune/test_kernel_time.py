"""What kernels are said to take: whole blocks of channels, so that a cut inside a block saves nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from prunable_networks import feeds_for, mobile, residual
from samples_in_memory import Samples

from edgekit.errors import RecipeError
from edgekit.protocols import Silent
from edgekit.pruning import Pruning
from edgekit.recipe import recipe_from_dict
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.kernel_time import INT8_ONNX, MEAN, KernelTime, Rates, file_times, kernel_time
from edgekit_converters.prune.prune import prune
from edgekit_converters.prune.trace import trace


def times(hub: Hub, rates: Rates = MEAN) -> tuple[KernelTime, np.ndarray]:
    found = trace(hub)
    return kernel_time(hub, found, costs_of(hub, found).mac_terms, rates), found.none_removed()


def between_pointwise(channels: int, group: int = 1) -> Hub:
    """A 3x3 convolution, dense or depthwise, between two of 1x1."""
    build, random = GraphBuilder(), np.random.default_rng(0)
    value = build.input("x", "float32", ("n", 16, 14, 14))
    for shape, attributes in (
        ((channels, 16, 1, 1), {}),
        ((channels, channels // group, 3, 3), {"pads": [1] * 4, "group": group}),
        ((16, channels, 1, 1), {}),
    ):
        weights = random.normal(0, 0.1, shape).astype(np.float32)
        value = build.op("Relu", build.op("Conv", value, build.constant(weights), **attributes))
    build.output(value, "y")
    return build.build("test")


def test_channels_of_a_started_block_take_time_as_the_block() -> None:
    assert MEAN.in_blocks(25) == MEAN.in_blocks(32) == 32
    assert MEAN.in_blocks(24) == 28, "half of the kernels have blocks of 8"
    assert INT8_ONNX.in_blocks(24) == 24
    assert MEAN.in_grouped_blocks(24) > MEAN.in_grouped_blocks(32) == 32


def test_fewer_than_16_channels_take_longer_than_16() -> None:
    assert MEAN.in_blocks(8) == MEAN.in_blocks(14) > MEAN.in_blocks(16)


def test_a_depthwise_convolution_is_dearer_than_its_multiply_accumulates() -> None:
    (dense, whole), (depthwise, all_stay) = times(between_pointwise(64)), times(between_pointwise(64, group=64))
    macs = 14 * 14 * (2 * 16 * 64 + 9 * 64 * 64), 14 * 14 * (2 * 16 * 64 + 9 * 64)
    assert depthwise.left(all_stay) / macs[1] > dense.left(whole) / macs[0]


def test_the_file_that_gains_least_counts() -> None:
    hub = mobile()
    found = trace(hub)
    terms, whole = costs_of(hub, found).mac_terms, found.none_removed()
    files = file_times(hub, found, terms)
    assert files.left(whole) == 1
    wide = max(found.spaces, key=lambda space: len(space.units))
    stays = found.without(wide.units[:16])
    each = [kernel_time(hub, found, terms, rates) for rates in (MEAN, INT8_ONNX)]
    assert files.left(stays) == max(time.left(stays) / time.left(whole) for time in each)


@pytest.mark.parametrize("make", [mobile, residual])
def test_nothing_that_goes_in_whole_blocks_makes_it_slower(make) -> None:
    hub = make()
    found = trace(hub)
    time = file_times(hub, found, costs_of(hub, found).mac_terms)
    for space in found.spaces:
        if len(space.units) * space.width >= 32:
            removed = space.units[: 16 // space.width]
            assert time.left(found.without(removed)) < time.left(found.none_removed())


@pytest.mark.parametrize(("group", "multiple"), [(1, 8), (64, 16)])
def test_what_stays_is_whole_blocks(group: int, multiple: int) -> None:
    hub = between_pointwise(64, group)
    samples = Samples(**feeds_for(hub, 1, 32))
    found = prune(hub, Pruning(macs=0.3, force=True), None, samples, None, Silent())
    assert all(layer.left % multiple == 0 and layer.left >= 16 for layer in found.figures.layers)
    assert found.figures.layers


def test_any_number_of_channels_may_stay_where_a_recipe_asks_for_it() -> None:
    hub = between_pointwise(24)
    pruning = recipe_from_dict({"prune": {"macs": 0.2, "channels": "any"}}, "a recipe").prune
    assert pruning is not None
    found = prune(hub, dataclasses.replace(pruning, force=True), None, Samples(**feeds_for(hub, 1, 32)), None, Silent())
    assert {layer.left for layer in found.figures.layers} == {20}


def test_a_recipe_with_unknown_channels_names_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"channels is 'all'; expected one of: fast, any"):
        recipe_from_dict({"prune": {"macs": 0.2, "channels": "all"}}, "a recipe")
