"""Normalizations, made of means and elementwise operators, in float."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation, channels_last
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape

_SMALLEST_NORM = float(np.finfo(np.float32).tiny)


@lowers("BatchNormalization")
def batch_normalization(node: HubNode, out: FlatGraph) -> None:
    """A product and a sum: the statistics are constants as a rule, and folded into them."""
    if node.integer("training_mode", 0):
        raise node.unsupported("it is in training mode; export the model for inference")
    layout, epsilon = out.layout(node), node.number("epsilon", 1e-5)
    data = out.read(node, 0, layout)
    constants = [node.constant(index) for index in range(1, 5)]
    if all(array is not None for array in constants):
        scale, bias, mean, variance = (np.asarray(array, np.float64) for array in constants)
        factor = scale / np.sqrt(variance + epsilon)
        slope, offset = (
            _at_channels(out.tape, out.tape.constant(array.astype(np.float32)), layout)
            for array in (factor, bias - mean * factor)
        )
    else:
        slope, offset = _computed_statistics(node, out, layout, epsilon)
    out.tape.add("ADD", (out.tape.compute("MUL", data, slope), offset), out.output(node, layout))


def _computed_statistics(
    node: HubNode, out: FlatGraph, layout: Permutation, epsilon: float
) -> tuple[FlatTensor, FlatTensor]:
    tape = out.tape
    scale, bias, mean, variance = (_at_channels(tape, out.read_float(node, index), layout) for index in range(1, 5))
    slope = tape.compute("MUL", scale, tape.compute("RSQRT", tape.compute("ADD", variance, tape.constant(epsilon))))
    return slope, tape.compute("SUB", bias, tape.compute("MUL", mean, slope))


@lowers("InstanceNormalization")
def instance_normalization(node: HubNode, out: FlatGraph) -> None:
    layout = out.layout(node)
    data, spatial = out.read(node, 0, layout), [place for place, axis in enumerate(layout) if axis > 1]
    centred, spread = _standardized(out.tape, data, spatial, node.number("epsilon", 1e-5))
    scale, bias = (_at_channels(out.tape, out.read_float(node, index), layout) for index in (1, 2))
    scaled = out.tape.compute("MUL", out.tape.compute("MUL", centred, spread), scale)
    out.tape.add("ADD", (scaled, bias), out.output(node, layout))


@lowers("LayerNormalization")
def layer_normalization(node: HubNode, out: FlatGraph) -> None:
    layout, rank, tape = out.layout(node), node.rank(), out.tape
    first = node.integer("axis", -1) % rank
    data = out.read(node, 0, layout)
    axes = [place for place, axis in enumerate(layout) if axis >= first]
    mean = tape.reduce("MEAN", data, axes)
    centred = tape.compute("SUB", data, mean)
    spread = _inverse_deviation(tape, centred, axes, node.number("epsilon", 1e-5))
    result = tape.compute("MUL", tape.compute("MUL", centred, spread), out.read_float(node, 1, layout))
    if node.has(2):
        result = tape.compute("ADD", result, out.read_float(node, 2, layout))
    out.bind(node, result, layout)
    for index, tensor in ((1, mean), (2, spread)):
        if index < node.output_count and node.is_used(index):
            out.bind(node, tensor, layout, index)


@lowers("GroupNormalization")
def group_normalization(node: HubNode, out: FlatGraph) -> None:
    """The channel axis is split in two where it lies, so that a channels-last tensor stays as it is."""
    layout, tape, groups = out.layout(node), out.tape, node.integer("num_groups", 1)
    data = out.read(node, 0, layout)
    place, channels = layout.index(1), node.shape()[1]
    split = (*data.shape[:place], groups, channels // groups, *data.shape[place + 1 :])
    batch = layout.index(0) if layout.index(0) < place else layout.index(0) + 1
    axes = [axis for axis in range(len(split)) if axis not in (place, batch)]
    centred, spread = _standardized(tape, tape.reshape(data, split), axes, node.number("epsilon", 1e-5))
    merged = tape.reshape(tape.compute("MUL", centred, spread), data.shape)
    scale, bias = (_at_channels(tape, out.read_float(node, index), layout) for index in (1, 2))
    out.tape.add("ADD", (tape.compute("MUL", merged, scale), bias), out.output(node, layout))


@lowers("MeanVarianceNormalization")
def mean_variance_normalization(node: HubNode, out: FlatGraph) -> None:
    layout = out.layout(node)
    axes = [layout.index(axis % node.rank()) for axis in node.integers("axes", (0, 2, 3))]
    centred, spread = _standardized(out.tape, out.read(node, 0, layout), axes, 1e-9)
    out.bind(node, out.tape.compute("MUL", centred, spread), layout)


@lowers("LpNormalization")
def lp_normalization(node: HubNode, out: FlatGraph) -> None:
    """x divided by its L1 or L2 norm along the axis; zeros stay zeros."""
    layout, tape = out.layout(node), out.tape
    data, axes = out.read(node, 0, layout), [layout.index(node.integer("axis", -1) % node.rank())]
    if node.integer("p", 2) == 1:
        norm = tape.reduce("SUM", tape.compute("ABS", data), axes)
    else:
        norm = tape.compute("SQRT", tape.reduce("SUM", tape.compute("SQUARE", data), axes))
    safe = tape.compute("MAXIMUM", norm, tape.constant(_SMALLEST_NORM))
    out.bind(node, tape.compute("DIV", data, safe), layout)


@lowers("LRN")
def local_response_normalization(node: HubNode, out: FlatGraph) -> None:
    size = node.integer("size", 1)
    if size % 2 == 0:
        raise node.unsupported(
            f"its size is {size}; TFLite's windows reach equally far to both sides, so odd ones only"
        )
    layout = channels_last(node.rank())
    data = out.read(node, 0, layout)
    flat = out.tape.reshape(data, (data.shape[0], 1, int(np.prod(data.shape[1:-1])), data.shape[-1]))
    normalized = out.tape.compute(
        "LOCAL_RESPONSE_NORMALIZATION",
        flat,
        builtin_options=options(
            "LocalResponseNormalizationOptions",
            radius=size // 2,
            bias=node.number("bias", 1.0),
            alpha=node.number("alpha", 1e-4) / size,
            beta=node.number("beta", 0.75),
        ),
    )
    out.bind(node, out.tape.reshape(normalized, data.shape), layout)


def _standardized(tape: Tape, data: FlatTensor, axes: list[int], epsilon: float) -> tuple[FlatTensor, FlatTensor]:
    """(x - mean, 1 / sqrt(variance + epsilon)) over physical axes."""
    centred = tape.compute("SUB", data, tape.reduce("MEAN", data, axes))
    return centred, _inverse_deviation(tape, centred, axes, epsilon)


def _inverse_deviation(tape: Tape, centred: FlatTensor, axes: list[int], epsilon: float) -> FlatTensor:
    variance = tape.reduce("MEAN", tape.compute("MUL", centred, centred), axes)
    return tape.compute("RSQRT", tape.compute("ADD", variance, tape.constant(epsilon)))


def _at_channels(tape: Tape, vector: FlatTensor, layout: Permutation) -> FlatTensor:
    """A (channels,) vector, shaped to broadcast along the axis that holds logical axis 1."""
    place = layout.index(1)
    return tape.reshape(vector, (vector.shape[0], *(1,) * (len(layout) - 1 - place)))
