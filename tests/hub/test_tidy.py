"""Names, unnamed dimensions and small constants."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.decompose import decompose
from edgekit_converters.hub.tidy import give_names, merge_small_constants, name_dimensions


def test_missing_and_doubled_names_are_given():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 2])
    graph.output(graph.op("Exp", graph.op("Relu", x)), "y")
    hub = graph.build("test")
    for node in hub.model.graph:
        node.name = "same"
    hub.model.graph[0].outputs[0].name = None
    assert give_names(hub.model) == 2
    assert [node.name for node in hub.model.graph] == ["same", "same_2"]
    assert hub.model.graph[0].outputs[0].name
    assert give_names(hub.model) == 0


def test_unnamed_dimensions_get_the_name_of_their_input():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 2])
    graph.output(graph.op("Relu", x), "y")
    hub = graph.build("test")
    hub.model.graph.inputs[0].shape = ir.Shape([None, 2])
    assert name_dimensions(hub.model) == 1
    assert hub.inputs[0].shape == ("x_dim_0", 2)


def test_a_dimension_whose_name_is_no_expression_is_renamed():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch size", "n*2", 2])
    graph.output(graph.op("Relu", x), "y")
    hub = graph.build("test")
    name_dimensions(hub.model)
    assert hub.inputs[0].shape == ("batch_size", "n*2", 2)
    assert hub.outputs[0].shape == ("batch_size", "n*2", 2)


def test_small_equal_constants_are_stored_once_and_types_are_kept_apart(after):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 1])
    y = graph.op("Add", graph.op("Mul", x, graph.constant(0.0)), graph.constant(0.0))
    y = graph.op("Reshape", y, graph.constant(np.array([0, 1])))
    large = [graph.constant(np.ones((1, 100), np.float32)) for _ in range(2)]
    graph.output(graph.op("Add", graph.op("Add", y, large[0]), large[1]), "y")
    hub = after(graph.build("test"), merge_small_constants)
    assert len(hub.model.graph.initializers) == 4


def test_sums_of_many_become_sums_of_two_and_castlike_a_cast(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3])
    total = graph.op("Sum", graph.constant(1.0), graph.constant(np.float32([1, 2, 3])), x)
    count = graph.op("CastLike", graph.constant(np.int64([1, 2, 3])), x)
    graph.output(graph.op("Mul", total, count), "y")
    assert ops(after(graph.build("test"), decompose)) == {"Add": 2, "Cast": 1, "Mul": 1}
