"""Loops of known length are written out; others stay."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from edgekit_converters.hub import Hub
from edgekit_converters.hub.unroll_loops import unroll_loops


def hub_of(node: onnx.NodeProto, inputs: list, outputs: list, **constants: np.ndarray) -> Hub:
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph([node], "loops", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return Hub(ir.from_proto(model), "test")


def real(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def running_sum() -> onnx.GraphProto:
    """The state takes half of itself and the slice; the result is its square."""
    half = onnx.numpy_helper.from_array(np.float32(0.5), "half")
    nodes = [
        helper.make_node("Mul", ["before", "half"], ["faded"]),
        helper.make_node("Add", ["faded", "slice"], ["after"]),
        helper.make_node("Mul", ["after", "after"], ["square"]),
    ]
    return helper.make_graph(
        nodes, "body", [real("before", 2), real("slice", 2)], [real("after", 2), real("square", 2)], [half]
    )


@pytest.mark.parametrize(
    "settings", [{}, {"scan_input_directions": [1]}, {"scan_output_directions": [1]}, {"scan_output_axes": [1]}]
)
def test_a_scan_is_its_rounds(after, ops, settings):
    node = helper.make_node(
        "Scan", ["start", "x"], ["end", "squares"], body=running_sum(), num_scan_inputs=1, **settings
    )
    shape = (2, 5) if "scan_output_axes" in settings else (5, 2)
    hub = hub_of(node, [real("start", 2), real("x", 5, 2)], [real("end", 2), real("squares", *shape)])
    assert ops(after(hub, unroll_loops)) == {"Gather": 5, "Mul": 10, "Add": 5, "Unsqueeze": 5, "Concat": 1}


def test_a_scan_of_unknown_length_stays(after, ops):
    node = helper.make_node("Scan", ["start", "x"], ["end", "squares"], body=running_sum(), num_scan_inputs=1)
    hub = hub_of(node, [real("start", 2), real("x", "steps", 2)], [real("end", 2), real("squares", "steps", 2)])
    assert ops(after(hub, unroll_loops)) == {"Scan": 1}


def loop_body(goes_on: str = "going") -> onnx.GraphProto:
    nodes = [
        helper.make_node("Cast", ["round"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["before", "number"], ["after"]),
        helper.make_node("Identity", [goes_on], ["goes_on"]),
        helper.make_node("Mul", ["after", "factor"], ["scaled"]),
    ]
    given = [helper.make_tensor_value_info("round", TensorProto.INT64, ())]
    given += [helper.make_tensor_value_info("going", TensorProto.BOOL, ()), real("before", 3)]
    made = [helper.make_tensor_value_info("goes_on", TensorProto.BOOL, ()), real("after", 3), real("scaled", 3)]
    return helper.make_graph(nodes, "body", given, made)


@pytest.mark.parametrize(("count", "kept"), [(4, False), (5000, True)])
def test_a_loop_of_few_rounds_is_written_out(after, ops, count, kept):
    node = helper.make_node("Loop", ["count", "", "x"], ["end", "all"], body=loop_body())
    constants = {"count": np.array(count), "factor": np.float32([2.0])}
    hub = hub_of(node, [real("x", 3)], [real("end", 3), real("all", count, 3)], **constants)
    assert ("Loop" in ops(after(hub, unroll_loops))) is kept


def test_a_loop_that_a_condition_may_end_stays(after, ops):
    node = helper.make_node("Loop", ["count", "go", "x"], ["end", "all"], body=loop_body())
    condition = helper.make_tensor_value_info("go", TensorProto.BOOL, ())
    constants = {"count": np.array(3), "factor": np.float32([2.0])}
    hub = hub_of(node, [real("x", 3), condition], [real("end", 3), real("all", "n", 3)], **constants)
    edited = hub.clone()
    assert unroll_loops(edited.model) == 0
