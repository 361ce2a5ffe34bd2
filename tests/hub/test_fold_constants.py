"""What depends on constants alone is computed once, here."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.fold_constants import fold_constants
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.remove_no_ops import remove_dead_code


def test_a_chain_of_constants_becomes_one_constant(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3])
    weight = graph.op("Transpose", graph.constant(np.arange(6, dtype=np.float32).reshape(2, 3)), perm=[1, 0])
    weight = graph.op("Mul", weight, graph.op("Sqrt", graph.constant(2.0)))
    graph.output(graph.op("MatMul", x, weight), "y")
    assert ops(after(graph.build("test"), fold_constants)) == {"MatMul": 1}


def test_a_constant_has_the_name_of_what_it_stands_for():
    graph = GraphBuilder()
    x = graph.input("x", "float32", [2])
    graph.output(graph.op("Add", x, graph.op("Sqrt", graph.constant(4.0), name="root")), "y")
    hub = graph.build("test")
    folded = hub.model.graph[-1].inputs[1].name
    fold_constants(hub.model)
    (addition,) = hub.model.graph
    assert addition.inputs[1].name == folded
    assert set(hub.model.graph.initializers) >= {folded}


def test_random_nodes_are_not_constants(ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", [4])
    graph.output(graph.op("Add", x, graph.op("RandomNormal", shape=[4])), "y")
    hub = graph.build("test")
    assert fold_constants(hub.model) == 0
    assert ops(hub) == {"RandomNormal": 1, "Add": 1}


def test_a_constant_is_not_blown_up(ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", [1])
    huge = graph.op("ConstantOfShape", graph.constant(np.array([5000, 5000])))
    graph.output(graph.op("Add", x, graph.op("ReduceSum", huge, keepdims=0)), "y")
    hub = graph.build("test")
    fold_constants(hub.model)
    assert ops(hub) == {"ConstantOfShape": 1, "ReduceSum": 1, "Add": 1}


def test_a_constant_output_keeps_its_name(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", [2])
    graph.output(graph.op("Relu", x), "y")
    graph.output(graph.op("Exp", graph.constant(np.float32([0, 1]))), "table")
    hub = after(graph.build("test"), fold_constants)
    assert [spec.name for spec in hub.outputs] == ["y", "table"]
    assert ops(hub) == {"Relu": 1, "Identity": 1}


def test_a_condition_that_is_constant_chooses_its_branch(after, ops):
    hub = with_if(condition=True)
    assert ops(after(hub, fold_constants, remove_dead_code)) == {"Add": 1, "Relu": 1}
    hub = with_if(condition=False)
    assert ops(after(hub, fold_constants, remove_dead_code)) == {"Mul": 1, "Relu": 1}


def test_constants_in_a_branch_that_stays_are_lifted_out(after, ops):
    hub = with_if(condition=None)
    edited = after(hub, fold_constants)
    branch = next(node for node in edited.model.graph if node.op_type == "If").attributes["then_branch"].as_graph()
    assert [node.op_type for node in branch] == ["Add"]


def with_if(condition: bool | None) -> Hub:
    """``Relu(x + 2 if condition else x * 2)``; None makes the condition depend on x."""

    def branch(name: str, op: str) -> TensorProto:
        two = helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32(2)))
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])
        return helper.make_graph([two, helper.make_node(op, ["x", "two"], [name])], name, [], [out])

    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("Greater", ["top", "limit"], ["computed"]),
        helper.make_node(
            "If",
            ["computed" if condition is None else "given"],
            ["chosen"],
            then_branch=branch("sum", "Add"),
            else_branch=branch("product", "Mul"),
        ),
        helper.make_node("Relu", ["chosen"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.array(bool(condition)), "given"), numpy_helper.from_array(np.float32(0), "limit")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return Hub(ir.from_proto(proto), "test")
