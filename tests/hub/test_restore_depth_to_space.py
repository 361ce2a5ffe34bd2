"""Pixel shuffles spelled as reshapes are found; other rearrangements of six axes stay."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.remove_no_ops import remove_dead_code
from edgekit_converters.hub.restore_depth_to_space import restore_depth_to_space


def rearranged(split: list[int], permutation: list[int], merged: list[int]) -> Hub:
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["N", 12, 4, 6])
    apart = graph.op("Reshape", x, graph.constant(np.array(split)))
    turned = graph.op("Transpose", apart, perm=permutation)
    graph.output(graph.op("Reshape", turned, graph.constant(np.array(merged))), "y")
    return graph.build("test")


@pytest.mark.parametrize(
    ("split", "permutation"),
    [([0, 3, 2, 2, 4, 6], [0, 1, 4, 2, 5, 3]), ([0, 2, 2, 3, 4, 6], [0, 3, 4, 1, 5, 2])],
)
def test_a_spelled_shuffle_is_one_operator(after, ops, split, permutation):
    hub = rearranged(split, permutation, [0, 3, 8, 12])
    assert ops(after(hub, restore_depth_to_space, remove_dead_code)) == {"DepthToSpace": 1}


@pytest.mark.parametrize(
    ("split", "permutation", "merged"),
    [
        ([0, 3, 2, 2, 6, 4], [0, 1, 4, 2, 5, 3], [0, 3, 12, 8]),
        ([0, 3, 2, 2, 4, 6], [0, 1, 5, 2, 4, 3], [0, 3, 12, 8]),
        ([0, 3, 4, 1, 4, 6], [0, 1, 4, 2, 5, 3], [0, 3, 16, 6]),
    ],
)
def test_other_rearrangements_stay(after, ops, split, permutation, merged):
    assert "DepthToSpace" not in ops(after(rearranged(split, permutation, merged), restore_depth_to_space))
