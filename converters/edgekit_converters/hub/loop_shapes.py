"""Shapes of what a Loop gives, which ONNX's inference leaves open: a state keeps its shape if a round does, and each round adds
one to what is collected."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx_ir as ir

from edgekit_converters.hub.bodies import body_model, captured, output_types
from edgekit_converters.hub.edit import constant, producer, scalar


def fixed_rounds(node: ir.Node) -> int | None:
    """How many rounds a Loop makes; None where that is not known, or a condition may end it."""
    body = node.attributes["body"].as_graph()
    count, begins = scalar(node.inputs[0]), node.inputs[1]
    passed = producer(body.outputs[0], "Identity")
    goes_on = body.outputs[0] if passed is None else passed.inputs[0]
    always = goes_on is body.inputs[1] or _is_true(goes_on)
    if count is None or not always or not (begins is None or _is_true(begins)):
        return None
    return int(count)


def _is_true(value: ir.Value | None) -> bool:
    array = constant(value)
    return array is not None and array.size == 1 and bool(array.reshape(-1)[0])


def loop_types(node: ir.Node, types: Mapping[str, onnx.TypeProto]) -> list[onnx.TypeProto] | None:
    """Types of the outputs of a Loop over tensors, given those of the values that it reads; None where a shape is open."""
    states = [_type(value, types) for value in node.inputs[2:]]
    body = node.attributes["body"].as_graph()
    outer = captured(body)
    if not all(_is_static(kind) for kind in states) or len(body.inputs) != len(states) + 2:
        return None
    inputs = [onnx.helper.make_tensor_type_proto(kind, ()) for kind in (onnx.TensorProto.INT64, onnx.TensorProto.BOOL)]
    model = body_model(body, [*inputs, *(kind for kind in states if kind is not None)], outer)
    for value in model.graph.inputs[len(body.inputs) :]:
        if (kind := types.get(value.name or "")) is not None:
            value.shape = ir.serde.deserialize_type_proto_for_shape(kind)
    made = output_types(model)[1:]
    kept, collected = made[: len(states)], made[len(states) :]
    same = all(_sizes(new) == _sizes(old) for new, old in zip(kept, states, strict=True))
    if not same or not all(_is_static(kind) for kind in collected):
        return None
    rounds = fixed_rounds(node)
    return [*kept, *(_repeated(kind, rounds) for kind in collected)]


def _type(value: ir.Value | None, types: Mapping[str, onnx.TypeProto]) -> onnx.TypeProto | None:
    if value is None:
        return None
    if constant(value) is not None:
        return ir.serde.serialize_value(value).type
    return types.get(value.name or "")


def _is_static(kind: onnx.TypeProto | None) -> bool:
    return kind is not None and _sizes(kind) is not None


def _sizes(kind: onnx.TypeProto | None) -> list[int] | None:
    if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return [dim.dim_value for dim in dims] if all(dim.HasField("dim_value") for dim in dims) else None


def _repeated(kind: onnx.TypeProto, rounds: int | None) -> onnx.TypeProto:
    sizes = _sizes(kind)
    assert sizes is not None
    made: onnx.TypeProto = onnx.helper.make_tensor_type_proto(kind.tensor_type.elem_type, [rounds, *sizes])
    return made
