"""Write normalizations with means, products and a reciprocal root, for files without float operators: no kernel normalizes
integers as a whole, and these parts all have one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, constant, dims, nodes_of
from edgekit_converters.hub.infer_shapes import infer_shapes


def spell_normalizations(model: ir.Model) -> int:
    """Replace LayerNormalization, InstanceNormalization and GroupNormalization. Returns the nodes replaced.

    Requires: inferred shapes, constants are initializers.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "LayerNormalization", "InstanceNormalization", "GroupNormalization"):
        shape = dims(node.inputs[0])
        if shape is None or (len(node.outputs) > 1 and any(value.uses() for value in node.outputs[1:])):
            continue
        if node.op_type == "LayerNormalization":
            _layer(node, edit, len(shape))
        else:
            _channels(node, edit, shape)
        changes += 1
    if changes:
        infer_shapes(model)
    return changes


def _layer(node: ir.Node, edit: Editor, rank: int) -> None:
    first = attribute(node, "axis", -1) % rank
    result = _standardized(node, edit, node.inputs[0], range(first, rank))
    result = _scaled(node, edit, "Mul", result, node.inputs[1], 1.0)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        result = _scaled(node, edit, "Add", result, node.inputs[2], 0.0)
    edit.replace_node(node, result)


def _channels(node: ir.Node, edit: Editor, shape: Sequence[int | str | None]) -> None:
    """Over the spatial axes of each channel, or of each group of channels."""
    data, rank = node.inputs[0], len(shape)
    if node.op_type == "InstanceNormalization":
        result = _standardized(node, edit, data, range(2, rank))
    else:
        grouped = edit.node("Reshape", [data, edit.index([0, attribute(node, "num_groups"), -1])], before=node)
        flat = _standardized(node, edit, grouped, (2,))
        back = [0, *(size if isinstance(size, int) else -1 for size in shape[1:])]
        result = edit.node("Reshape", [flat, edit.index(back)], before=node, like=data)
    for op, index, neutral in (("Mul", 1, 1.0), ("Add", 2, 0.0)):
        vector = constant(node.inputs[index])
        parameter = node.inputs[index]
        if vector is not None:
            parameter = edit.constant(vector.reshape(-1, *[1] * (rank - 2)), f"{node.name}/parameter")
        result = _scaled(node, edit, op, result, parameter, neutral)
    edit.replace_node(node, result)


def _standardized(node: ir.Node, edit: Editor, data: ir.Value | None, axes: Sequence[int]) -> ir.Value:
    """(x - mean) (mean((x - mean)^2) + epsilon)^(-1/2)"""
    where = edit.index(list(axes))
    mean = edit.node("ReduceMean", [data, where], before=node, keepdims=1)
    centred = edit.node("Sub", [data, mean], before=node, like=data)
    square = edit.node("Mul", [centred, centred], before=node, like=data)
    variance = edit.node("ReduceMean", [square, where], before=node, keepdims=1)
    epsilon = edit.floats(attribute(node, "epsilon", 1e-5))
    safe = edit.node("Add", [variance, epsilon], before=node)
    factor = edit.node("Pow", [safe, edit.floats(-0.5)], before=node)
    return edit.node("Mul", [centred, factor], before=node, like=data)


def _scaled(
    node: ir.Node, edit: Editor, op: str, data: ir.Value, parameter: ir.Value | None, neutral: float
) -> ir.Value:
    """``data`` times or plus the parameter, unless that changes nothing."""
    array = constant(parameter)
    if parameter is None or (array is not None and bool(np.all(array == neutral))):
        return data
    return edit.node(op, [data, parameter], before=node, like=node.outputs[0])
