"""Shape arithmetic goes away while the batch stays symbolic."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.fold_constants import fold_constants
from edgekit_converters.hub.fold_shapes import fold_shapes
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.remove_no_ops import remove_dead_code

PASSES = (fold_shapes, fold_constants, infer_shapes, fold_shapes, remove_dead_code)


def test_flattening_by_shape_arithmetic_becomes_a_constant_reshape(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 4, 5])
    batch = graph.op("Gather", graph.op("Shape", x), graph.constant(np.array(0)), axis=0)
    rest = graph.constant(np.array([-1]))
    shape = graph.op("Concat", graph.op("Unsqueeze", batch, graph.constant(np.array([0]))), rest, axis=0)
    graph.output(graph.op("Reshape", x, shape), "y")
    hub = after(graph.build("test"), *PASSES)
    assert ops(hub) == {"Reshape": 1}
    assert hub.outputs[0].shape == ("batch", 60)


def test_sizes_are_multiplied_and_divided_as_onnx_does(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 6, 8])
    shape = graph.op("Shape", x)
    channels = graph.op("Slice", shape, graph.constant(np.array([1])), graph.constant(np.array([2])))
    width = graph.op("Slice", shape, graph.constant(np.array([-1])), graph.constant(np.array([99])))
    half = graph.op("Div", channels, graph.constant(np.array([2])))
    double = graph.op("Mul", width, graph.constant(np.array([2])))
    batch = graph.op("Slice", shape, graph.constant(np.array([0])), graph.constant(np.array([1])))
    graph.output(graph.op("Reshape", x, graph.op("Concat", batch, half, double, axis=0)), "y")
    hub = after(graph.build("test"), *PASSES)
    assert ops(hub) == {"Reshape": 1}
    assert hub.outputs[0].shape == ("batch", 3, 16)


def test_an_expand_to_the_own_batch_becomes_constant(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 1, 4])
    batch = graph.op("Slice", graph.op("Shape", x), graph.constant(np.array([0])), graph.constant(np.array([1])))
    wanted = graph.op("Concat", batch, graph.constant(np.array([3, -1])), axis=0)
    minus = graph.op("Equal", wanted, graph.constant(np.array([-1])))
    ones = graph.constant(np.array([1, 1, 1]))
    graph.output(graph.op("Expand", x, graph.op("Where", minus, ones, wanted)), "y")
    assert ops(after(graph.build("test"), *PASSES)) == {"Expand": 1}


@pytest.mark.parametrize("wanted", [[-1, 60], [-1, 3, 20], [-1, 3, 4, 5]])
def test_a_minus_one_that_is_the_batch_keeps_its_name(after, wanted):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 20])
    graph.output(graph.op("Reshape", x, graph.constant(np.array(wanted))), "y")
    hub = after(graph.build("test"), *PASSES)
    assert hub.outputs[0].shape == ("batch", *wanted[1:])


def test_a_minus_one_that_mixes_axes_stays(after):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 20])
    graph.output(graph.op("Reshape", x, graph.constant(np.array([-1, 20]))), "y")
    hub = after(graph.build("test"), *PASSES)
    assert hub.outputs[0].shape[0] != "batch"
