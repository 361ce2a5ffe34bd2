"""Gradients of layers with weights, and of products of two operands, with respect to what they read (weights are constants)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.gradients.refusal import NoGradientError
from edgekit_converters.gradients.tape import Tape, is_computed
from edgekit_converters.gradients.windows import carried_back, window_sizes
from edgekit_converters.hub.edit import attribute, constant, dims


def convolution(tape: Tape, node: ir.Node) -> None:
    """The transposed convolution with the same weights; where it steps by 1, a faster convolution with mirrored ones."""
    x, weights = _constant_weights(node)
    gradient, window = tape.of_result(node), window_sizes(node, x, weights.shape[2:])
    groups = attribute(node, "group", 1)
    if max(window.strides) > 1:
        tape.give(x, carried_back(tape, gradient, x, node.inputs[1], window, groups))
        return
    grouped = weights.reshape(groups, -1, *weights.shape[1:])
    turned = grouped.swapaxes(1, 2).reshape(-1, grouped.shape[1], *weights.shape[2:])
    mirrored = np.flip(turned, tuple(range(2, turned.ndim)))
    rank = len(window.kernel)
    reach = [(size - 1) * dilation for size, dilation in zip(window.kernel, window.dilations, strict=True)]
    pads = [reach[axis % rank] - pad for axis, pad in enumerate(window.pads)]
    found = tape.op(
        "Conv", gradient, tape.constant(np.ascontiguousarray(mirrored)), group=groups, dilations=window.dilations,
        pads=[max(0, pad) for pad in pads], kernel_shape=window.kernel,
    )  # fmt: skip
    tape.give(x, tape.cropped(found, [max(0, -pad) for pad in pads]))


def transposed_convolution(tape: Tape, node: ir.Node) -> None:
    """The convolution with the same weights."""
    x, weights = _constant_weights(node)
    shape = dims(x)
    if attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID") or attribute(node, "output_shape") is not None:
        raise NoGradientError(node, "with paddings that follow from its output's shape")
    rank = weights.ndim - 2
    pads = list(attribute(node, "pads", (0,) * 2 * rank))
    assert shape is not None
    found = tape.op(
        "Conv", tape.of_result(node), node.inputs[1], group=attribute(node, "group", 1), pads=pads,
        strides=list(attribute(node, "strides", (1,) * rank)), dilations=list(attribute(node, "dilations", (1,) * rank)),
        kernel_shape=list(weights.shape[2:]),
    )  # fmt: skip
    sizes = zip((dims(found) or ())[2:], shape[2:], strict=True)
    surplus = [made - given for made, given in sizes if isinstance(made, int) and isinstance(given, int)]
    if len(surplus) != rank:
        raise NoGradientError(node, "of pictures whose size is not fixed")
    tape.give(x, tape.cropped(found, [0] * rank + surplus))


def gemm(tape: Tape, node: ir.Node) -> None:
    """Of ``alpha * a @ b + beta * c``."""
    a, b = node.inputs[:2]
    gradient, alpha = tape.of_result(node), attribute(node, "alpha", 1.0)
    turns_a, turns_b = attribute(node, "transA", 0), attribute(node, "transB", 0)
    if tape.needs(a):
        pair = (b, gradient, turns_b, 1) if turns_a else (gradient, b, 0, 1 - turns_b)
        tape.give(a, tape.op("Gemm", *pair[:2], transA=pair[2], transB=pair[3], alpha=alpha))
    if tape.needs(b):
        pair = (gradient, a, 1, turns_a) if turns_b else (a, gradient, 1 - turns_a, 0)
        tape.give(b, tape.op("Gemm", *pair[:2], transA=pair[2], transB=pair[3], alpha=alpha))
    added = node.inputs[2] if len(node.inputs) > 2 else None
    if added is not None and tape.needs(added):
        scaled = tape.op("Mul", gradient, tape.constant(np.float32(attribute(node, "beta", 1.0))))
        tape.give(added, tape.summed_to(scaled, added))


def matrix_product(tape: Tape, node: ir.Node) -> None:
    a, b = node.inputs
    assert a is not None
    assert b is not None
    if min(len(dims(a) or ()), len(dims(b) or ())) < 2:
        raise NoGradientError(node, "of a vector")
    gradient = tape.of_result(node)
    if tape.needs(a):
        tape.give(a, tape.summed_to(tape.op("MatMul", gradient, _turned(tape, b)), a))
    if tape.needs(b):
        tape.give(b, tape.summed_to(tape.op("MatMul", _turned(tape, a), gradient), b))


def _turned(tape: Tape, value: ir.Value) -> ir.Value:
    """The last two axes swapped."""
    array, rank = constant(value), len(dims(value) or ())
    if array is not None:
        return tape.constant(np.ascontiguousarray(array.swapaxes(-1, -2)))
    return tape.op("Transpose", value, perm=[*range(rank - 2), rank - 1, rank - 2])


def _constant_weights(node: ir.Node) -> tuple[ir.Value, np.ndarray]:
    x, weights = node.inputs[0], constant(node.inputs[1])
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if weights is None or is_computed(bias):
        raise NoGradientError(node, "with computed weights")
    assert x is not None
    return x, weights
