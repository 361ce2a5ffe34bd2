"""Gradients of operators that only move, repeat, drop or interpolate elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.gradients.refusal import NoGradientError
from edgekit_converters.gradients.tape import Tape, is_computed
from edgekit_converters.hub.edit import attribute, constant, dims, integers
from edgekit_converters.hub.model import IR_VERSION, OPSET
from edgekit_converters.quantize.calibrate_session import Calculator


def reshape(tape: Tape, node: ir.Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze."""
    x = _operand(node)
    tape.give(x, tape.reshaped_like(tape.of_result(node), x))


def transpose(tape: Tape, node: ir.Node) -> None:
    rank = len(dims(node.inputs[0]) or ())
    perm = attribute(node, "perm", tuple(reversed(range(rank))))
    tape.give(node.inputs[0], tape.op("Transpose", tape.of_result(node), perm=np.argsort(perm).tolist()))


def expand(tape: Tape, node: ir.Node) -> None:
    x = _operand(node)
    tape.give(x, tape.summed_to(tape.of_result(node), x))


def concat(tape: Tape, node: ir.Node) -> None:
    axis, start, gradient = attribute(node, "axis"), 0, tape.of_result(node)
    for value in node.inputs:
        length = (dims(value) or ())[axis]
        if not isinstance(length, int):
            raise NoGradientError(node, "along an axis whose length is not fixed")
        if value is not None and tape.needs(value):
            ends = tape.index([start]), tape.index([start + length]), tape.index([axis])
            tape.give(value, tape.op("Slice", gradient, *ends))
        start += length


def split(tape: Tape, node: ir.Node) -> None:
    given = [tape.gradient(value) for value in node.outputs]
    parts = [tape.zeros_like(v) if g is None else g for v, g in zip(node.outputs, given, strict=True)]
    tape.give(node.inputs[0], tape.op("Concat", *parts, axis=attribute(node, "axis", 0)))


def slices(tape: Tape, node: ir.Node) -> None:
    """Along each axis the elements that were taken go back to their places."""
    x, gradient = _operand(node), tape.of_result(node)
    starts, ends, axes, steps = (_listed(node, index) for index in range(1, 5))
    if starts is None or ends is None:
        raise NoGradientError(node, "with computed bounds")
    shape = dims(x) or ()
    for place, start in enumerate(starts):
        axis = (place if axes is None else axes[place]) % len(shape)
        taken = np.arange(_length(node, shape, axis))[slice(start, ends[place], 1 if steps is None else steps[place])]
        gradient = _put_back(tape, gradient, taken, axis, _length(node, shape, axis))
    tape.give(x, gradient)


def gather(tape: Tape, node: ir.Node) -> None:
    """With constant indices."""
    x, taken, gradient = _operand(node), constant(node.inputs[1]), tape.of_result(node)
    shape = dims(x) or ()
    axis = attribute(node, "axis", 0) % len(shape)
    if taken is None or taken.ndim > 1:
        raise NoGradientError(node, "with computed indices, or indices of several axes,")
    if taken.ndim == 0:
        gradient = tape.op("Unsqueeze", gradient, tape.index([axis]))
    length = _length(node, shape, axis)
    tape.give(x, _put_back(tape, gradient, taken.reshape(-1) % length, axis, length))


def _put_back(tape: Tape, gradient: ir.Value, taken: NDArray[np.int64], axis: int, length: int) -> ir.Value:
    """Zeros of ``length`` along the axis, with the gradient at the places ``taken``."""
    rank = len(dims(gradient) or ())
    steps = np.diff(taken)
    if len(taken) and (steps == 1).all():
        amounts = np.zeros((2, rank), np.int64)
        amounts[:, axis] = taken[0], length - 1 - taken[-1]
        return gradient if not amounts.any() else tape.op("Pad", gradient, tape.constant(amounts.reshape(-1)))
    places = np.zeros((len(taken), length), np.float32)
    np.add.at(places, (np.arange(len(taken)), taken), 1)
    return _times_along(tape, gradient, places, axis)


def _times_along(tape: Tape, gradient: ir.Value, matrix: NDArray[Any], axis: int) -> ir.Value:
    """The product with a matrix along one axis."""
    rank = len(dims(gradient) or ())
    swapped = list(range(rank))
    swapped[axis], swapped[-1] = swapped[-1], swapped[axis]
    turned = gradient if axis == rank - 1 else tape.op("Transpose", gradient, perm=swapped)
    found = tape.op("MatMul", turned, tape.constant(np.ascontiguousarray(matrix, np.float32)))
    return found if axis == rank - 1 else tape.op("Transpose", found, perm=swapped)


def pad(tape: Tape, node: ir.Node) -> None:
    x, amounts, axes = _operand(node), _listed(node, 1), _listed(node, 3)
    if amounts is None or attribute(node, "mode", "constant") != "constant":
        raise NoGradientError(node, "with computed amounts, or by reflection or repetition,")
    shape = dims(x) or ()
    axes = tuple(range(len(shape))) if axes is None else axes
    begins, ends = amounts[: len(axes)], amounts[len(axes) :]
    gradient = tape.of_result(node)
    if min(amounts) < 0:
        raise NoGradientError(node, "that also crops")
    stops = [-end if end else _END for end in ends]
    tape.give(x, tape.op("Slice", gradient, tape.index(begins), tape.index(stops), tape.index(axes)))


_END = 2**31 - 1


def depth_to_space(tape: Tape, node: ir.Node) -> None:
    """The blocks back into channels."""
    x, size, gradient = _operand(node), attribute(node, "blocksize"), tape.of_result(node)
    if attribute(node, "mode", "DCR") == "DCR":
        tape.give(x, tape.op("SpaceToDepth", gradient, blocksize=size))
        return
    channels, height, width = (_length(node, dims(x) or (), axis) for axis in (1, 2, 3))
    apart = tape.op("Reshape", gradient, tape.index([0, channels // size**2, height, size, width, size]))
    moved = tape.op("Transpose", apart, perm=[0, 1, 3, 5, 2, 4])
    tape.give(x, tape.op("Reshape", moved, tape.index([0, channels, height, width])))


def space_to_depth(tape: Tape, node: ir.Node) -> None:
    size = attribute(node, "blocksize")
    tape.give(node.inputs[0], tape.op("DepthToSpace", tape.of_result(node), blocksize=size, mode="DCR"))


def resize(tape: Tape, node: ir.Node) -> None:
    """Interpolation is linear along each axis by itself: the matrix of each axis is found by resizing unit vectors."""
    x = _operand(node)
    if any(is_computed(value) for value in node.inputs[1:] if value is not None):
        raise NoGradientError(node, "to a computed size")
    given, made = dims(x) or (), dims(node.outputs[0]) or ()
    gradient = tape.of_result(node)
    for axis in range(2, len(given)):
        if given[axis] != made[axis]:
            length, other = _length(node, given, axis), _length(node, made, axis)
            matrix = _interpolation(node, length, other, len(given))
            gradient = _times_along(tape, gradient, matrix, axis)
    tape.give(x, gradient)


def _interpolation(node: ir.Node, length: int, other: int, rank: int) -> NDArray[np.float32]:
    """(other, length): what each element of the longer axis takes of the shorter one's."""
    kept = {name: node.attributes[name] for name in node.attributes if name not in ("axes", "keep_aspect_ratio_policy")}
    shape = (length, 1, *[1] * (rank - 3), length)
    proto = onnx.helper.make_node("Resize", ["x", "", "", "sizes"], ["y"])
    proto.attribute.extend(ir.to_proto(each) for each in kept.values())
    graph = onnx.helper.make_graph(
        [proto],
        "interpolation",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.array([*shape[:-1], other], np.int64), "sizes")],
    )
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    found = Calculator(model).run(["y"], {"x": np.eye(length, dtype=np.float32).reshape(shape)})[0]
    return np.asarray(found.reshape(length, other).T)


def _operand(node: ir.Node) -> ir.Value:
    x = node.inputs[0]
    assert x is not None
    return x


def _listed(node: ir.Node, index: int) -> tuple[int, ...] | None:
    return integers(node.inputs[index]) if len(node.inputs) > index else None


def _length(node: ir.Node, shape: tuple[int | str | None, ...], axis: int) -> int:
    length = shape[axis]
    if not isinstance(length, int):
        raise NoGradientError(node, "along an axis whose length is not fixed")
    return length
