"""Bodies of control operators on tapes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from edgekit.errors import ConversionError
from edgekit.recipe import Precision
from edgekit_converters.hub.bodies import body_model
from edgekit_converters.hub.edit import constant, static_shape
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite.flat_model import FlatTensor
from edgekit_converters.writers.tflite.graph import FlatGraph, physical_dtype
from edgekit_converters.writers.tflite.layout import identity
from edgekit_converters.writers.tflite.node import HubNode, hub_dtype
from edgekit_converters.writers.tflite.spell import settle, spell
from edgekit_converters.writers.tflite.tape import Tape
from edgekit_converters.writers.tflite.write_nodes import write_nodes


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A body ready to be written: ``model``'s inputs are the body's own and then the values from outside."""

    model: ir.Model

    def write(self, tape: Tape, inputs: Sequence[FlatTensor], unroll_steps: int) -> list[FlatTensor]:
        """Append the body's operators to ``tape``; returns the tensors of its outputs, in logical order and in float."""
        graph = self.model.graph
        nodes = [HubNode(node) for node in graph]
        out = FlatGraph(QuantPlan(Precision.FLOAT32), {node.name: node for node in nodes}, tape, unroll_steps)
        for value, tensor in zip(graph.inputs, inputs, strict=True):
            out.declare(value, tensor)
        write_nodes(nodes, out)
        views = [out.view(value) for value in graph.outputs]
        return [out.materialize(view, identity(len(view.shape)), None) for view in views]


def body_of(node: HubNode, attribute: str, inputs: Sequence[onnx.TypeProto], given: Sequence[ir.Value]) -> Body:
    """The graph in ``attribute``, simplified and spelled. Raises ConversionError where a shape in it is open."""
    model = body_model(node.node.attributes[attribute].as_graph(), inputs, given)
    settle(model)
    spell(model)
    for value in (*model.graph.inputs, *(value for child in model.graph for value in child.outputs)):
        if static_shape(value) is None and (value.uses() or value.is_graph_output()):
            raise ConversionError(
                f"inside node {node.name!r} ({node.op}) the shape of {value.name!r} depends on the data or changes from round "
                "to round, and TFLite files are written with fixed shapes"
            )
    return Body(model)


def variables(values: Sequence[ir.Value]) -> list[ir.Value]:
    """Those of the values from outside that are computed."""
    return [value for value in values if constant(value) is None]


def tensor_of(value: ir.Value, out: FlatGraph) -> FlatTensor:
    """A value of the outer graph in logical order, in float or as plain integers."""
    view = out.view(value)
    tensor = out.materialize(view, identity(len(view.shape)), None)
    return out.tape.cast(tensor, physical_dtype(hub_dtype(value)))


def type_of(value: ir.Value) -> onnx.TypeProto:
    return ir.serde.serialize_value(value).type


def like(tensors: Sequence[FlatTensor], tape: Tape) -> list[FlatTensor]:
    """New tensors of the same types and shapes on ``tape``."""
    return [tape.temporary(tensor.shape, tensor.dtype) for tensor in tensors]


def own(tensors: Sequence[FlatTensor], inputs: Sequence[FlatTensor], tape: Tape) -> list[FlatTensor]:
    """Outputs of a subgraph: constants, inputs in another place and tensors given twice become copies."""
    found: list[FlatTensor] = []
    for place, tensor in enumerate(tensors):
        passed = place < len(inputs) and tensor is inputs[place]
        taken = tensor.data is not None or tensor in found or (tensor in inputs and not passed)
        found.append(tape.copy(tensor) if taken else tensor)
    return found
