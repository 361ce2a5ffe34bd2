"""Activation functions that TFLite has an operator for."""

from __future__ import annotations

import math

import numpy as np

from edgekit_converters.writers.tflite.activations import FusedActivation, clamp_bounds, fused_for
from edgekit_converters.writers.tflite.fixed import fixed_params
from edgekit_converters.writers.tflite.flat_model import BuiltinOptions, FlatTensor, arithmetic_options, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers


@lowers("Relu", "Clip", int8=True)
def clamp(node: HubNode, out: FlatGraph) -> None:
    """RELU, RELU6 or RELU_N1_TO_1; other bounds by MAXIMUM and MINIMUM."""
    bounds = clamp_bounds(node)
    if bounds is None or node.dtype() != np.float32:
        _clamp_computed(node, out)
        return
    layout, tape = out.layout(node), out.tape
    data, fused = out.read(node, 0, layout), fused_for(*bounds)
    if _range_clamps(node, out, *bounds):
        _requantize(node, out, data, layout)
    elif fused is FusedActivation.NONE:
        out.alias(node)
    elif fused is not None:
        tape.add(fused.name, (data,), out.output(node, layout))
    else:
        out.bind(node, _bounded(out, data, *bounds), layout)


def _range_clamps(node: HubNode, out: FlatGraph, low: float, high: float) -> bool:
    """Whether the integers of the output end where the clamp does, so that writing them is clamping."""
    params = out.output_params(node) if out.is_integer(node) else None
    if params is None:
        return False
    reach, slack = params.real_range(), 0.51 * float(params.scale)
    return reach[0] >= low - slack and reach[1] <= high + slack


def _requantize(node: HubNode, out: FlatGraph, data: FlatTensor, layout: Permutation) -> None:
    """Add zero: XNNPACK has no int8 RELU, and its QUANTIZE rounds more coarsely than its ADD."""
    assert data.params is not None
    zero = out.tape.constant(data.params.quantize(np.zeros(1, np.float32)), data.params)
    output = out.output(node, layout)
    out.tape.add("ADD", (data, zero), output, arithmetic_options("ADD", output))


def _bounded(out: FlatGraph, data: FlatTensor, low: float, high: float) -> FlatTensor:
    """MAXIMUM and MINIMUM need one encoding for all operands: the bounds take the data's."""
    for builtin, bound in (("MAXIMUM", low), ("MINIMUM", high)):
        if not math.isinf(bound):
            real = np.array(bound, np.float32)
            number = real if data.params is None else data.params.quantize(real)
            data = out.tape.compute(builtin, data, out.tape.constant(number, data.params))
    return data


def _clamp_computed(node: HubNode, out: FlatGraph) -> None:
    """Bounds that are known at run time only, or data of an integer type."""
    layout = out.layout(node)
    data = out.read_float(node, 0, layout)
    for builtin, index in (("MAXIMUM", 1), ("MINIMUM", 2)):
        if node.has(index):
            data = out.tape.compute(builtin, data, out.read_float(node, index))
    if data is out.read_float(node, 0, layout):
        out.alias(node)
    else:
        out.bind(node, data, layout)


@lowers("Sigmoid", int8=True)
def sigmoid(node: HubNode, out: FlatGraph) -> None:
    _unary(node, out, "LOGISTIC")


@lowers("Tanh", int8=True)
def tanh(node: HubNode, out: FlatGraph) -> None:
    _unary(node, out, "TANH")


@lowers("HardSwish", int8=True)
def hard_swish(node: HubNode, out: FlatGraph) -> None:
    _unary(node, out, "HARD_SWISH")


@lowers("Gelu", int8=True)
def gelu(node: HubNode, out: FlatGraph) -> None:
    approximate = node.text("approximate", "none") == "tanh"
    _unary(node, out, "GELU", options("GeluOptions", approximate=approximate))


@lowers("LeakyRelu", int8=True)
def leaky_relu(node: HubNode, out: FlatGraph) -> None:
    _unary(node, out, "LEAKY_RELU", options("LeakyReluOptions", alpha=node.number("alpha", 0.01)))


@lowers("PRelu", int8=True)
def prelu(node: HubNode, out: FlatGraph) -> None:
    """PRELU; its slope may not be wider than the data."""
    layout = out.layout(node)
    data, slope = out.read(node, 0, layout), out.read(node, 1, layout)
    out.tape.add("PRELU", (data, _without_batch(out, slope)), out.output(node, layout))


def _without_batch(out: FlatGraph, slope: FlatTensor) -> FlatTensor:
    """Delegates want the slope without the batch axis."""
    if slope.data is not None and slope.rank > 1 and slope.shape[0] == 1:
        return out.tape.reshape(slope, slope.shape[1:])
    return slope


def _unary(node: HubNode, out: FlatGraph, builtin: str, builtin_options: BuiltinOptions | None = None) -> None:
    """One operator in whatever layout its input has."""
    layout: Permutation = out.layout(node)
    data = out.read(node, 0, layout)
    result = out.output(node, layout, params=fixed_params(node, out))
    out.tape.add(builtin, (data,), result, builtin_options)
