"""Nearest enlarging by whole numbers takes the form that runtimes are fast in; everything else stays."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.edit import attribute
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.plain_upsampling import plain_upsampling


def resize(sizes: list[int], **attributes: str) -> Hub:
    graph = GraphBuilder()
    x = graph.input("x", "float32", [2, 3, 4, 5])
    empty = graph.constant(np.zeros(0, np.float32))
    graph.output(graph.op("Resize", x, empty, empty, graph.constant(np.array(sizes)), **attributes), "y")
    return graph.build("test")


def form(hub: Hub) -> tuple[str, str]:
    (node,) = hub.model.graph
    return attribute(node, "coordinate_transformation_mode", "half_pixel"), attribute(node, "nearest_mode", "")


@pytest.mark.parametrize("transformation", ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"])
@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("sizes", [[2, 3, 8, 10], [2, 3, 12, 15], [2, 3, 4, 35]])
def test_whole_multiples_count_from_the_corner(after, transformation, rounding, sizes):
    hub = resize(sizes, coordinate_transformation_mode=transformation, nearest_mode=rounding)
    assert form(after(hub, plain_upsampling)) == ("asymmetric", "floor")


@pytest.mark.parametrize(
    ("sizes", "attributes"),
    [
        ([2, 3, 6, 10], {"nearest_mode": "round_prefer_floor"}),
        ([2, 3, 8, 10], {"nearest_mode": "ceil"}),
        ([2, 3, 8, 10], {"coordinate_transformation_mode": "align_corners", "nearest_mode": "round_prefer_floor"}),
        ([2, 3, 8, 10], {"mode": "linear"}),
    ],
)
def test_other_resizing_stays(after, sizes, attributes):
    hub = resize(sizes, **attributes)
    before = form(hub)
    assert form(after(hub, plain_upsampling)) == before
