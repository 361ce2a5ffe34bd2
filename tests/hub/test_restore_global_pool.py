"""Means over all spatial axes become global pools; other means stay."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.restore_global_pool import restore_global_pool


@pytest.mark.parametrize(
    ("shape", "axes", "keepdims", "expected"),
    [
        (["batch", 3, 4, 5], [2, 3], 1, {"GlobalAveragePool": 1}),
        (["batch", 3, 4, 5], [-1, -2], 1, {"GlobalAveragePool": 1}),
        (["batch", 3, 4, 5], [2, 3], 0, {"GlobalAveragePool": 1, "Flatten": 1}),
        (["batch", 3, 4, 5, 2], [2, 3, 4], 0, {"GlobalAveragePool": 1, "Flatten": 1}),
        (["batch", 3, 4, 5], [1, 2], 1, {"ReduceMean": 1}),
        (["batch", 3, 4], [2], 1, {"ReduceMean": 1}),
    ],
)
def test_a_mean_over_all_spatial_axes_is_a_global_pool(after, ops, shape, axes, keepdims, expected):
    graph = GraphBuilder()
    x = graph.input("x", "float32", shape)
    graph.output(graph.op("ReduceMean", x, graph.constant(np.array(axes)), keepdims=keepdims), "y")
    assert ops(after(graph.build("test"), restore_global_pool)) == expected
