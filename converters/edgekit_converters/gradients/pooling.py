"""Gradients of poolings."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgekit_converters.gradients.refusal import NoGradientError
from edgekit_converters.gradients.tape import Tape
from edgekit_converters.gradients.windows import WindowSizes, carried_back, one_hot_kernels, window_sizes
from edgekit_converters.hub.edit import attribute, dims

LOWEST = -3e38


def average_pool(tape: Tape, node: ir.Node) -> None:
    """Each element of a window gets an equal part."""
    x = _operand(node)
    window, channels = window_sizes(node, x, tuple(attribute(node, "kernel_shape"))), _channels(node)
    counts = tape.constant(_counts(node, window)[None, None])
    ones = tape.constant(np.ones((channels, 1, *window.kernel), np.float32))
    part = tape.op("Div", tape.of_result(node), counts)
    tape.give(x, carried_back(tape, part, x, ones, window, channels))


def _counts(node: ir.Node, window: WindowSizes) -> np.ndarray:
    """Elements that the average of each place is taken of."""
    rank, padding = len(window.kernel), attribute(node, "count_include_pad", 0)
    declared = tuple(attribute(node, "pads", (0,) * 2 * rank))
    axes = []
    for axis in range(rank):
        begin = window.pads[axis]
        end = declared[axis + rank] if attribute(node, "auto_pad", "NOTSET") == "NOTSET" else window.pads[axis + rank]
        low, high = (0, begin + window.sizes[axis] + end) if padding else (begin, begin + window.sizes[axis])
        starts = np.arange(window.places[axis])[:, None] * window.strides[axis]
        seen = starts + np.arange(window.kernel[axis]) * window.dilations[axis]
        axes.append(((seen >= low) & (seen < high)).sum(axis=1).astype(np.float32))
    counts = axes[0]
    for each in axes[1:]:
        counts = np.multiply.outer(counts, each)
    return np.asarray(counts)


def max_pool(tape: Tape, node: ir.Node) -> None:
    """To the largest of each window; several that are as large share it."""
    x, y, kernel = _operand(node), node.outputs[0], tuple(attribute(node, "kernel_shape"))
    window, channels, taps = window_sizes(node, x, kernel), _channels(node), math.prod(kernel)
    single = tape.constant(one_hot_kernels(channels, kernel))
    seen = tape.op(
        "Conv", tape.padded(x, window.pads, LOWEST), single, group=channels, strides=window.strides,
        dilations=window.dilations, kernel_shape=kernel,
    )  # fmt: skip
    by_tap = tape.op("Reshape", seen, tape.index([0, channels, taps, *window.places]))
    axis = tape.index([2])
    largest = tape.op("Equal", by_tap, tape.op("Unsqueeze", y, axis))
    chosen = tape.op("Cast", largest, to=int(ir.DataType.FLOAT))
    part = tape.op("Div", tape.of_result(node), tape.op("ReduceSum", chosen, axis, keepdims=0))
    spread = tape.op("Mul", chosen, tape.op("Unsqueeze", part, axis))
    flat = tape.op("Reshape", spread, tape.index([0, channels * taps, *window.places]))
    tape.give(x, carried_back(tape, flat, x, single, window, channels))


def global_average_pool(tape: Tape, node: ir.Node) -> None:
    x = _operand(node)
    sizes = [dim for dim in (dims(x) or ())[2:] if isinstance(dim, int)]
    if len(sizes) != len(dims(x) or ()) - 2:
        raise NoGradientError(node, "of pictures whose size is not fixed")
    part = tape.op("Div", tape.of_result(node), tape.constant(float(math.prod(sizes))))
    tape.give(x, tape.op("Expand", part, tape.op("Shape", x)))


def global_max_pool(tape: Tape, node: ir.Node) -> None:
    """To each of the largest elements all of it: ties are rare."""
    x = _operand(node)
    tape.give(x, tape.masked(tape.op("Equal", x, node.outputs[0]), tape.of_result(node)))


def _operand(node: ir.Node) -> ir.Value:
    x = node.inputs[0]
    assert x is not None
    return x


def _channels(node: ir.Node) -> int:
    channels = (dims(node.inputs[0]) or ())[1]
    assert isinstance(channels, int)
    return channels
