"""Convolutions and poolings pad for themselves where that is exactly the same."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.fold_pads import fold_pads
from edgekit_converters.hub.remove_no_ops import remove_dead_code

PADS = np.array([0, 0, 1, 0, 0, 0, 2, 1])


def padded(graph, x, value=0.0, mode="constant"):
    return graph.op("Pad", x, graph.constant(PADS), graph.constant(value), mode=mode)


def picture(graph):
    return graph.input("x", "float32", ["batch", 3, 9, 9])


def kernel(graph):
    return graph.constant(np.random.default_rng(1).standard_normal((2, 3, 3, 3)).astype(np.float32))


def test_zeros_fold_into_a_convolution_that_pads_already(after, ops):
    graph = GraphBuilder()
    y = graph.op("Conv", padded(graph, picture(graph)), kernel(graph), pads=[0, 1, 0, 1])
    graph.output(y, "y")
    assert ops(after(graph.build("test"), fold_pads, remove_dead_code)) == {"Conv": 1}


@pytest.mark.parametrize(("value", "mode"), [(1.0, "constant"), (0.0, "reflect"), (0.0, "edge")])
def test_other_padding_stays(after, ops, value, mode):
    graph = GraphBuilder()
    graph.output(graph.op("Conv", padded(graph, picture(graph), value, mode), kernel(graph)), "y")
    assert ops(after(graph.build("test"), fold_pads, remove_dead_code)) == {"Pad": 1, "Conv": 1}


def test_zeros_count_in_an_average_pool(after, ops):
    graph = GraphBuilder()
    y = graph.op("AveragePool", padded(graph, picture(graph)), kernel_shape=[3, 3], strides=[2, 2])
    graph.output(y, "y")
    assert ops(after(graph.build("test"), fold_pads, remove_dead_code)) == {"AveragePool": 1}


def test_zeros_fold_into_a_max_pool_of_what_is_never_negative(after, ops):
    graph = GraphBuilder()
    x = picture(graph)
    graph.output(graph.op("MaxPool", padded(graph, graph.op("Relu", x)), kernel_shape=[3, 3]), "positive")
    graph.output(graph.op("MaxPool", padded(graph, x), kernel_shape=[3, 3]), "signed")
    assert ops(after(graph.build("test"), fold_pads, remove_dead_code)) == {"Relu": 1, "Pad": 1, "MaxPool": 2}


def test_pads_by_axes_are_spelled_out(after):
    graph = GraphBuilder()
    pads, axes = graph.constant(np.array([1, 2])), graph.constant(np.array([-1]))
    graph.output(graph.op("Pad", picture(graph), pads, None, axes, mode="edge"), "y")
    hub = after(graph.build("test"), fold_pads)
    assert len(hub.model.graph[0].inputs) == 3


@pytest.mark.parametrize("how", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize(
    ("op", "size", "stride"), [("Conv", 9, 2), ("Conv", 8, 1), ("MaxPool", 8, 2), ("AveragePool", 7, 3)]
)
def test_automatic_padding_becomes_numbers(after, how, op, size, stride):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, size, size])
    weight = [kernel(graph)] if op == "Conv" else []
    extra = {} if op == "Conv" else {"kernel_shape": [3, 2]}
    graph.output(graph.op(op, x, *weight, auto_pad=how, strides=[stride, stride], **extra), "y")
    hub = after(graph.build("test"), fold_pads)
    assert "auto_pad" not in hub.model.graph[0].attributes
