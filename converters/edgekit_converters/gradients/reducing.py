"""Gradients of reductions, softmax and normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgekit_converters.gradients.refusal import NoGradientError
from edgekit_converters.gradients.tape import Tape, is_computed
from edgekit_converters.hub.edit import attribute, dims, integers


def reduce_sum(tape: Tape, node: ir.Node) -> None:
    x, _ = _operand_and_axes(node)
    tape.give(x, tape.op("Expand", _kept(tape, node, tape.of_result(node)), tape.op("Shape", x)))


def reduce_mean(tape: Tape, node: ir.Node) -> None:
    x, axes = _operand_and_axes(node)
    sizes = [dim for axis in axes if isinstance(dim := (dims(x) or ())[axis], int)]
    if len(sizes) != len(axes):
        raise NoGradientError(node, "over an axis whose length is not fixed")
    part = tape.op("Div", _kept(tape, node, tape.of_result(node)), tape.constant(float(math.prod(sizes))))
    tape.give(x, tape.op("Expand", part, tape.op("Shape", x)))


def reduce_extreme(tape: Tape, node: ir.Node) -> None:
    """ReduceMax and ReduceMin: to each element that is the result."""
    x, _ = _operand_and_axes(node)
    chosen = tape.op("Equal", x, _kept(tape, node, node.outputs[0]))
    tape.give(x, tape.masked(chosen, _kept(tape, node, tape.of_result(node))))


def reduce_l2(tape: Tape, node: ir.Node) -> None:
    x, _ = _operand_and_axes(node)
    part = tape.op("Div", tape.of_result(node), node.outputs[0])
    tape.give(x, tape.op("Mul", x, _kept(tape, node, part)))


def _kept(tape: Tape, node: ir.Node, value: ir.Value) -> ir.Value:
    """With the axes that were reduced, as long as 1."""
    if attribute(node, "keepdims", 1):
        return value
    return tape.op("Unsqueeze", value, tape.index(_operand_and_axes(node)[1]))


def _operand_and_axes(node: ir.Node) -> tuple[ir.Value, tuple[int, ...]]:
    x, given = node.inputs[0], node.inputs[1] if len(node.inputs) > 1 else None
    assert x is not None
    rank = len(dims(x) or ())
    listed = attribute(node, "axes") if given is None else integers(given)
    if given is not None and listed is None:
        raise NoGradientError(node, "over computed axes")
    if not listed:
        return x, () if attribute(node, "noop_with_empty_axes", 0) else tuple(range(rank))
    return x, tuple(sorted(axis % rank for axis in listed))


def softmax(tape: Tape, node: ir.Node) -> None:
    """``y * (g - sum(g * y))``."""
    y, gradient = node.outputs[0], tape.of_result(node)
    axis = tape.index([attribute(node, "axis", -1)])
    total = tape.op("ReduceSum", tape.op("Mul", gradient, y), axis, keepdims=1)
    tape.give(node.inputs[0], tape.op("Mul", y, tape.op("Sub", gradient, total)))


def log_softmax(tape: Tape, node: ir.Node) -> None:
    """``g - exp(y) * sum(g)``."""
    y, gradient = node.outputs[0], tape.of_result(node)
    total = tape.op("ReduceSum", gradient, tape.index([attribute(node, "axis", -1)]), keepdims=1)
    tape.give(node.inputs[0], tape.op("Sub", gradient, tape.op("Mul", tape.op("Exp", y), total)))


def batch_normalization(tape: Tape, node: ir.Node) -> None:
    """In inference a factor a channel."""
    x, scale, _, _, variance = node.inputs[:5]
    if is_computed(scale) or is_computed(variance):
        raise NoGradientError(node, "with computed statistics")
    epsilon = tape.constant(np.float32(attribute(node, "epsilon", 1e-5)))
    factor = tape.op("Div", scale, tape.op("Sqrt", tape.op("Add", variance, epsilon)))
    tape.give(x, tape.op("Mul", tape.of_result(node), _by_channel(tape, factor, len(dims(x) or ()))))


def layer_normalization(tape: Tape, node: ir.Node) -> None:
    """Over the last axes, whose shape its factors have."""
    rank = len(dims(node.inputs[0]) or ())
    _standardized_back(tape, node, _constant_factors(node), range(attribute(node, "axis", -1) % rank, rank))


def instance_normalization(tape: Tape, node: ir.Node) -> None:
    """Over the places of each channel."""
    rank = len(dims(node.inputs[0]) or ())
    _standardized_back(tape, node, _by_channel(tape, _constant_factors(node), rank), range(2, rank))


def _constant_factors(node: ir.Node) -> ir.Value:
    scale = node.inputs[1]
    if scale is None or is_computed(scale):
        raise NoGradientError(node, "with computed factors")
    return scale


def _by_channel(tape: Tape, factors: ir.Value, rank: int) -> ir.Value:
    """(channels,) in the shape that is broadcast along axis 1."""
    return tape.op("Reshape", factors, tape.index([1, -1, *[1] * (rank - 2)]))


def _standardized_back(tape: Tape, node: ir.Node, factors: ir.Value, over: Sequence[int]) -> None:
    """Of ``factors * z`` with z = (x - mean) / deviation: ``(g - mean(g) - z * mean(g * z)) / deviation``.

    ``g`` is the gradient of the result times the factors.
    """
    x, axes = node.inputs[0], tape.index(over)
    epsilon = tape.constant(np.float32(attribute(node, "epsilon", 1e-5)))
    centred = tape.op("Sub", x, tape.op("ReduceMean", x, axes, keepdims=1))
    variance = tape.op("ReduceMean", tape.op("Mul", centred, centred), axes, keepdims=1)
    deviation = tape.op("Sqrt", tape.op("Add", variance, epsilon))
    standard = tape.op("Div", centred, deviation)
    gradient = tape.op("Mul", tape.of_result(node), factors)
    shared = tape.op("ReduceMean", gradient, axes, keepdims=1)
    along = tape.op("ReduceMean", tape.op("Mul", gradient, standard), axes, keepdims=1)
    left = tape.op("Sub", tape.op("Sub", gradient, shared), tape.op("Mul", standard, along))
    tape.give(x, tape.op("Div", left, deviation))
