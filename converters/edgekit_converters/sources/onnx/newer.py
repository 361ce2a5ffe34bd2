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


def has_newer_form(node: ir.Node) -> bool:
    """Whether an older operator is used as only opset 28 allows: signed shifts, remainders of floats, an order of channels."""
    source = node.inputs[0] if node.inputs else None
    if node.op_type == "BitShift":
        return source is not None and source.dtype in _UNSIGNED
    if node.op_type == "Mod":
        floating = source is not None and source.dtype is not None and source.dtype.is_floating_point()
        return floating and not attribute(node, "fmod", 0)
    return node.op_type == "SpaceToDepth" and "mode" in node.attributes


def _float_remainder(node: ir.Node, edit: Editor) -> ir.Value:
    """The remainder with the divisor's sign: of the one with the dividend's, plus the divisor where the signs differ."""
    source, divisor = node.inputs[0], node.inputs[1]
    assert source is not None
    assert source.dtype is not None
    zero = edit.constant(np.zeros((), source.dtype.numpy()), "zero")
    rest = edit.node("Mod", [source, divisor], before=node, like=node.outputs[0], fmod=1)
    signs = [edit.node("Less", [value, zero], before=node) for value in (rest, divisor)]
    whole = edit.node("Equal", [rest, zero], before=node)
    moved = edit.node(
        "And", [edit.node("Xor", signs, before=node), edit.node("Not", [whole], before=node)], before=node
    )
    shifted = edit.node("Add", [rest, divisor], before=node, like=node.outputs[0])
    return edit.node("Where", [moved, shifted, rest], before=node, like=node.outputs[0])


def _space_to_depth(node: ir.Node, edit: Editor) -> ir.Value:
    """In the order of opset 21, DCR; for CRD the channels are sorted afterwards."""
    size, mode = int(attribute(node, "blocksize", 1)), str(attribute(node, "mode", "DCR"))
    moved = edit.node("SpaceToDepth", [node.inputs[0]], before=node, like=node.outputs[0], blocksize=size)
    if mode == "DCR":
        return moved
    shape = dims(node.inputs[0])
    if shape is None or not isinstance(shape[1], int):
        raise UnsupportedLayerError(f"node {node.name!r}: SpaceToDepth in mode {mode} of an unknown number of channels")
    order = np.arange(size * size * shape[1]).reshape(size * size, shape[1]).T.reshape(-1)
    return edit.node("Gather", [moved, edit.constant(order, "order")], before=node, like=node.outputs[0], axis=1)


def _signed_shift(node: ir.Node, edit: Editor) -> ir.Value:
    """The shift of the same bits as unsigned numbers; 32 of them for 8 and 16, which ONNX Runtime has no kernels for.

    To the right, what fills up is the sign: of a negative number the complement is shifted, and complemented again.
    """
    given, count = node.inputs[0], node.inputs[1]
    assert given is not None
    assert given.dtype is not None
    wide = ir.DataType.INT64 if given.dtype is ir.DataType.INT64 else ir.DataType.INT32
    direction = str(attribute(node, "direction", ""))

    def cast(value: ir.Value | None, to: ir.DataType) -> ir.Value:
        return edit.node("Cast", [value], before=node, to=int(to))

    def shifted(value: ir.Value) -> ir.Value:
        operands = [cast(value, _UNSIGNED[wide]), cast(count, _UNSIGNED[wide])]
        return cast(edit.node("BitShift", operands, before=node, direction=direction), wide)

    source = cast(given, wide)
    result = shifted(source)
    if direction == "RIGHT":
        zero = edit.constant(np.zeros((), wide.numpy()), "zero")
        rest = edit.node("BitwiseNot", [shifted(edit.node("BitwiseNot", [source], before=node))], before=node)
        result = edit.node("Where", [edit.node("Less", [source, zero], before=node), rest, result], before=node)
    return edit.node("Cast", [result], before=node, like=node.outputs[0], to=int(given.dtype))


_UNSIGNED = {
    ir.DataType.INT8: ir.DataType.UINT8,
    ir.DataType.INT16: ir.DataType.UINT16,
    ir.DataType.INT32: ir.DataType.UINT32,
    ir.DataType.INT64: ir.DataType.UINT64,
}

RULES: dict[str, Rule] = {
    "BitShift": _signed_shift,
    "CumProd": _cumulative_product,
    "Mod": _float_remainder,
    "SpaceToDepth": _space_to_depth,
    "TensorScatter": _tensor_scatter,
}
