"""Shapes follow from the inputs alone."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.infer_shapes import infer_shapes


def network():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3, 8, 8])
    weight = graph.constant(np.ones((512, 3, 3, 3), np.float32))
    y = graph.op("Conv", x, weight)
    graph.output(graph.op("Flatten", y), "y")
    return graph.build("test")


def test_stale_shapes_are_replaced_outputs_included():
    hub = network()
    hub.model.graph.inputs[0].shape = ir.Shape([2, 3, 5, 5])
    assert infer_shapes(hub.model) == 1
    assert hub.outputs[0].shape == (2, 512 * 9)
    assert tuple(hub.model.graph[0].outputs[0].shape) == (2, 512, 3, 3)
    assert infer_shapes(hub.model) == 0


def test_an_output_keeps_what_it_declares_where_inference_knows_nothing():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3])
    graph.output(graph.op("Compress", x, graph.op("Greater", graph.op("Squeeze", x), graph.constant(0.0))), "y")
    hub = graph.build("test")
    hub.model.graph.outputs[0].shape = ir.Shape(["found"])
    infer_shapes(hub.model)
    assert hub.outputs[0].shape == ("found",)
