"""Chains of nodes that only move shrink."""

from __future__ import annotations

import numpy as np

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.merge_reshapes import merge_reshapes, merge_transposes
from edgekit_converters.hub.remove_no_ops import remove_dead_code

NHWC, NCHW = [0, 2, 3, 1], [0, 3, 1, 2]


def test_an_unsqueeze_and_its_squeeze_cancel(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3])
    axes = graph.constant(np.array([1]))
    graph.output(graph.op("Relu", graph.op("Squeeze", graph.op("Unsqueeze", x, axes), axes)), "y")
    assert ops(after(graph.build("test"), merge_reshapes, remove_dead_code)) == {"Relu": 1}


def test_two_reshapes_become_one_that_keeps_the_batch(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 4])
    y = graph.op("Reshape", graph.op("Flatten", x), graph.constant(np.array([0, 2, 6])))
    graph.output(y, "y")
    hub = after(graph.build("test"), merge_reshapes, remove_dead_code)
    assert ops(hub) == {"Reshape": 1}
    assert hub.outputs[0].shape == ("batch", 2, 6)


def test_opposite_transposes_cancel_and_others_join(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 4, 5])
    back = graph.op("Transpose", graph.op("Transpose", x, perm=NHWC), perm=NCHW)
    graph.output(graph.op("Relu", back), "same")
    twice = graph.op("Transpose", graph.op("Transpose", x, perm=NHWC), perm=NHWC)
    graph.output(twice, "turned")
    assert ops(after(graph.build("test"), merge_transposes, remove_dead_code)) == {"Relu": 1, "Transpose": 1}


def test_a_transpose_sinks_through_activations_to_its_opposite(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 4, 5])
    y = graph.op("Transpose", x, perm=NHWC)
    y = graph.op("Sigmoid", graph.op("LeakyRelu", y, alpha=0.3))
    y = graph.op("Mul", y, graph.constant(2.0))
    graph.output(graph.op("Transpose", y, perm=NCHW), "y")
    passes = (merge_transposes,) * 5
    assert ops(after(graph.build("test"), *passes, remove_dead_code)) == {"LeakyRelu": 1, "Sigmoid": 1, "Mul": 1}


def test_two_equal_transposes_become_one_behind_the_sum(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 4, 5])
    one = graph.op("Transpose", x, perm=NHWC)
    two = graph.op("Transpose", graph.op("Relu", x), perm=NHWC)
    graph.output(graph.op("Add", one, two), "y")
    assert ops(after(graph.build("test"), merge_transposes, remove_dead_code)) == {"Relu": 1, "Add": 1, "Transpose": 1}


def test_a_lone_transpose_stays_where_it_is(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 4, 5])
    graph.output(graph.op("Relu", graph.op("Transpose", x, perm=NHWC)), "y")
    hub = after(graph.build("test"), merge_transposes)
    assert [node.op_type for node in hub.model.graph] == ["Transpose", "Relu"]
