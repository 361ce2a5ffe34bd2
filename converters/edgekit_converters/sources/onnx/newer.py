"""Operators newer than the project's opset that ONNX gives no definition for, written with older ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit.errors import UnsupportedLayerError
from edgekit_converters.hub.edit import Editor, attribute, dims, scalar

Rule = Callable[[ir.Node, Editor], ir.Value]


def _cumulative_product(node: ir.Node, edit: Editor) -> ir.Value:
    """The product over a square of copies of the axis, in which 1 stands for what lies behind an element."""
    source, axis = node.inputs[0], scalar(node.inputs[1])
    shape = dims(source)
    if source is None or source.dtype is None or axis is None or shape is None or not isinstance(shape[int(axis)], int):
        raise UnsupportedLayerError(f"node {node.name!r}: CumProd along an axis that is not known, or of unknown size")
    place = int(axis) % len(shape)
    size = shape[place]
    assert isinstance(size, int)
    counted = np.tril(np.ones((size, size), np.bool_), -1 if attribute(node, "exclusive", 0) else 0)
    counted = counted[::-1, ::-1] if attribute(node, "reverse", 0) else counted
    mask = edit.constant(counted.reshape(size, size, *[1] * (len(shape) - place - 1)), "counted")
    one = edit.constant(np.ones((), source.dtype.numpy()), "one")
    copies = edit.node("Unsqueeze", [source, edit.index([place])], before=node)
    chosen = edit.node("Where", [mask, copies, one], before=node)
    return edit.node("ReduceProd", [chosen, edit.index([place + 1])], before=node, like=node.outputs[0], keepdims=0)


def _tensor_scatter(node: ir.Node, edit: Editor) -> ir.Value:
    """ScatterElements along the axis, at the positions from each sample's first one on."""
    cache, update = node.inputs[0], node.inputs[1]
    starts = node.inputs[2] if len(node.inputs) > 2 else None
    shape, written = dims(cache), dims(update)
    place = attribute(node, "axis", -2)
    if shape is None or written is None or not all(isinstance(sizes[place], int) for sizes in (shape, written)):
        raise UnsupportedLayerError(f"node {node.name!r}: TensorScatter along an axis of unknown size")
    rank, place = len(shape), place % len(shape)
    steps = np.arange(written[place]).reshape(-1, *[1] * (rank - place - 1))
    positions = edit.constant(steps, "steps")
    if starts is not None:
        column = edit.node("Reshape", [starts, edit.index([-1, *[1] * (rank - 1)])], before=node)
        positions = edit.node("Add", [column, positions], before=node)
    if attribute(node, "mode", "linear") == "circular":
        positions = edit.node("Mod", [positions, edit.index(shape[place])], before=node)
    spread = edit.node("Expand", [positions, edit.node("Shape", [update], before=node)], before=node)
    return edit.node("ScatterElements", [cache, spread, update], before=node, like=node.outputs[0], axis=place)


RULES: dict[str, Rule] = {"CumProd": _cumulative_product, "TensorScatter": _tensor_scatter}
