"""A pixel shuffle behind a convolution takes the channel order that kernels have; one that can't keeps its own."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.edit import attribute
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.plain_pixel_shuffle import plain_pixel_shuffle

RNG = np.random.default_rng(3)


def shuffled(between: str = "", block: int = 2, group: int = 1, read_twice: bool = False) -> Hub:
    graph = GraphBuilder()
    x = graph.input("x", "float32", [2, 4, 5, 6])
    weight = RNG.standard_normal((4 * block**2, 4 // group, 3, 3)).astype(np.float32)
    bias = RNG.standard_normal(4 * block**2).astype(np.float32)
    wide = graph.op("Conv", x, graph.constant(weight), graph.constant(bias), pads=[1] * 4, group=group)
    active = graph.op(between, wide) if between else wide
    graph.output(graph.op("DepthToSpace", active, blocksize=block, mode="CRD"), "y")
    if read_twice:
        graph.output(graph.op("Neg", active), "z")
    return graph.build("test")


def mode(hub: Hub) -> str:
    return next(attribute(node, "mode", "DCR") for node in hub.model.graph if node.op_type == "DepthToSpace")


@pytest.mark.parametrize("between", ["", "Relu", "LeakyRelu", "Tanh"])
@pytest.mark.parametrize("block", [2, 3])
def test_filters_are_sorted_for_the_shuffle(after, between, block):
    assert mode(after(shuffled(between, block), plain_pixel_shuffle)) == "DCR"


@pytest.mark.parametrize("settings", [{"group": 2}, {"read_twice": True}, {"between": "Softmax"}])
def test_a_shuffle_whose_filters_are_bound_stays(after, settings):
    assert mode(after(shuffled(**settings), plain_pixel_shuffle)) == "CRD"
