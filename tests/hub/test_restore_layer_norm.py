"""Layer normalizations that an exporter spelled out are found again."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.remove_no_ops import remove_dead_code
from edgekit_converters.hub.restore_layer_norm import restore_layer_norm

PASSES = (restore_layer_norm,) * 3 + (remove_dead_code,)
GAMMA = np.float32([0.5, 1.0, -2.0, 3.0])
BETA = np.float32([1.0, 0.0, 2.0, -1.0])


def deviation_and_variance(graph, x, axes, square="Pow"):
    axes = graph.constant(np.array(axes))
    centred = graph.op("Sub", x, graph.op("ReduceMean", x, axes))
    squared = graph.op("Pow", centred, graph.constant(2.0)) if square == "Pow" else graph.op("Mul", centred, centred)
    return centred, graph.op("Add", graph.op("ReduceMean", squared, axes), graph.constant(1e-3))


@pytest.mark.parametrize("square", ["Pow", "Mul"])
@pytest.mark.parametrize("root", ["Div", "Reciprocal"])
def test_quotient_with_scale_and_bias(after, ops, square, root):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 5, 4])
    centred, variance = deviation_and_variance(graph, x, [-1], square)
    deviation = graph.op("Sqrt", variance)
    y = (
        graph.op("Div", centred, deviation)
        if root == "Div"
        else graph.op("Mul", graph.op("Reciprocal", deviation), centred)
    )
    graph.output(graph.op("Add", graph.op("Mul", y, graph.constant(GAMMA)), graph.constant(BETA)), "y")
    hub = after(graph.build("test"), *PASSES)
    assert ops(hub) == {"LayerNormalization": 1}
    assert len(hub.model.graph[0].inputs) == 3


def test_several_axes_without_parameters(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 5, 4])
    centred, variance = deviation_and_variance(graph, x, [1, 2])
    graph.output(graph.op("Div", centred, graph.op("Sqrt", variance)), "y")
    assert ops(after(graph.build("test"), *PASSES)) == {"LayerNormalization": 1}


def test_the_form_that_tensorflow_writes(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 5, 4])
    mean = graph.op("ReduceMean", x, graph.constant(np.array([2])))
    _, variance = deviation_and_variance(graph, x, [2], "Mul")
    factor = graph.op("Mul", graph.op("Reciprocal", graph.op("Sqrt", variance)), graph.constant(GAMMA))
    shift = graph.op("Sub", graph.constant(BETA), graph.op("Mul", mean, factor))
    graph.output(graph.op("Add", graph.op("Mul", x, factor), shift), "y")
    assert ops(after(graph.build("test"), *PASSES, tolerance=1e-5)) == {"LayerNormalization": 1}


def test_a_mean_over_other_axes_is_no_layer_normalization(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 5, 4])
    centred, variance = deviation_and_variance(graph, x, [1])
    graph.output(graph.op("Div", centred, graph.op("Sqrt", variance)), "y")
    assert "LayerNormalization" not in ops(after(graph.build("test"), *PASSES))
