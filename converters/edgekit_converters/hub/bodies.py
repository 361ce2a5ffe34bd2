"""The body of an If, a Loop or a Scan as a model of its own, so that everything that works on models works on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx
import onnx_ir as ir

from edgekit_converters.hub.edit import constant
from edgekit_converters.hub.model import IR_VERSION, OPSET


def captured(*bodies: ir.Graph) -> list[ir.Value]:
    """Values from outside that the bodies read, each once."""
    found: dict[ir.Value, None] = {}
    for body in bodies:
        inner: set[ir.Value] = {*body.inputs, *body.initializers.values()}
        for child in ir.traversal.RecursiveGraphIterator(body):
            inner.update(child.outputs)
            found.update(dict.fromkeys(value for value in child.inputs if value is not None and value not in inner))
        found.update(dict.fromkeys(value for value in body.outputs if value not in inner))
    nested = _inner_inputs(bodies)
    return [value for value in found if value not in nested]


def _inner_inputs(bodies: Iterable[ir.Graph]) -> set[ir.Value]:
    """Inputs and constants of graphs inside the bodies, which are not from outside."""
    found: set[ir.Value] = set()
    for body in bodies:
        for graph in body.subgraphs():
            found.update(graph.inputs)
            found.update(graph.initializers.values())
    return found


def body_model(body: ir.Graph, inputs: Sequence[onnx.TypeProto], given: Sequence[ir.Value]) -> ir.Model:
    """A model of ``body`` whose inputs have the types ``inputs`` and, behind them, are the values ``given`` from outside that
    are no constants; the constants are the model's own."""
    graph = onnx.GraphProto()
    graph.CopyFrom(ir.serde.serialize_graph(body))
    for value, kind in zip(graph.input, inputs, strict=True):
        value.type.CopyFrom(kind)
    for value in given:
        if constant(value) is None:
            ir.serde.serialize_value_into(graph.input.add(), value)
        elif value.const_value is not None:
            ir.serde.serialize_tensor_into(graph.initializer.add(), value.const_value)
            graph.initializer[-1].name = value.name or ""
    del graph.value_info[:]
    proto = onnx.ModelProto(ir_version=IR_VERSION, graph=graph)
    proto.opset_import.add(domain="", version=OPSET)
    return ir.serde.deserialize_model(proto)


def output_types(model: ir.Model) -> list[onnx.TypeProto]:
    """Types of the model's outputs, as ONNX infers them."""
    proto = ir.to_proto(model)
    for value in proto.graph.output:
        value.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=False, data_prop=True)
    return [value.type for value in inferred.graph.output]
