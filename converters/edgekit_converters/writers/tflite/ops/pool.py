"""Pooling: maximum, average and Lp, over windows and over everything, in 1 to 3 dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor
from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation, channels_last, permuted
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.signs import is_nonnegative
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.window import VALID, Window, window_of

Pooling = Callable[[FlatTensor, Window], FlatTensor]


@lowers("MaxPool", int8=True)
def max_pool(node: HubNode, out: FlatGraph) -> None:
    """MAX_POOL_2D. Pads hold the lowest number there is; zeros do where the input is known not to be negative. A window of one
    element, which only leaves others out, is in int8 a depthwise convolution: XNNPACK pools no such window."""
    _require_float(node)
    if node.output_count > 1 and node.is_used(1):
        raise node.unsupported("its second output, the indices, has no TFLite kernel")
    layout, window = channels_last(node.rank()), _pool_window(node)
    if window.is_dilated:
        raise node.unsupported(f"its dilations are {window.dilations}; TFLite pools without dilation only")
    data = out.read(node, 0, layout)
    if data.params is not None and math.prod(window.kernel) == 1:
        _finish(node, out, _separably(out, data, window, _averaging_convolution(out)), layout)
        return
    lowest = _lowest(data)
    zeros_do = lowest == 0.0 or (data.params is None and is_nonnegative(node.value(0)))

    def pooled(tensor: FlatTensor, flat: Window) -> FlatTensor:
        padding = flat.padding()
        if padding is None:
            pads = ((0, 0), *flat.needed_pads(), (0, 0))
            tensor, padding = out.tape.pad(tensor, pads, None if zeros_do else lowest), VALID
        return _pool_2d(out, "MAX_POOL_2D", tensor, flat, padding)

    _finish(node, out, _separably(out, data, window, pooled), layout)


@lowers("AveragePool", int8=True)
def average_pool(node: HubNode, out: FlatGraph) -> None:
    """AVERAGE_POOL_2D, whose own padding is not counted; a MEAN when the window is the whole picture; in int8 a depthwise
    convolution where every window counts as many elements."""
    _require_float(node)
    layout, window = channels_last(node.rank()), _pool_window(node)
    if window.covers_everything:
        _mean(node, out)
        return
    counts = _counts(window, include_pads=bool(node.integer("count_include_pad", 0)))
    whole = all((count == size).all() for count, size in zip(counts, window.kernel, strict=True))
    own = not window.is_dilated and window.padding() is not None
    if whole and out.is_integer(node):
        data = out.read(node, 0, layout)
        _finish(node, out, _separably(out, data, window, _averaging_convolution(out)), layout)
    elif own and _all_equal(counts, _counts(window, include_pads=False)):
        data = out.read(node, 0, layout)
        _finish(node, out, _separably(out, data, window, _average(out)), layout)
    elif whole and not window.is_dilated:
        data = out.read(node, 0, layout)
        _finish(node, out, _separably(out, data, window, _average_of_padded(out)), layout)
    else:
        summed = _window_sums(out, out.read_float(node, 0, layout), window)
        shares = out.tape.constant(np.float32(1) / _outer(counts))
        _finish(node, out, out.tape.compute("MUL", summed, shares), layout)


@lowers("LpPool")
def lp_pool(node: HubNode, out: FlatGraph) -> None:
    """The p-th root of the sum of p-th powers of magnitudes over each window."""
    layout, window = channels_last(node.rank()), _pool_window(node)
    power, tape = float(node.integer("p", 2)), out.tape
    raised = tape.compute("POW", tape.compute("ABS", out.read_float(node, 0, layout)), tape.constant(power))
    summed = _window_sums(out, raised, window)
    _finish(node, out, tape.compute("POW", summed, tape.constant(1.0 / power)), layout)


@lowers("GlobalAveragePool", int8=True)
def global_average_pool(node: HubNode, out: FlatGraph) -> None:
    """MEAN with its own encoding, which delegates compute on integers (AVERAGE_POOL_2D in int8 they leave alone)."""
    _mean(node, out)


@lowers("GlobalMaxPool", int8=True)
def global_max_pool(node: HubNode, out: FlatGraph) -> None:
    layout = out.layout(node)
    data = out.read(node, 0, layout)
    out.bind(node, out.tape.reduce("REDUCE_MAX", data, _spatial(layout)), layout)


def _mean(node: HubNode, out: FlatGraph) -> None:
    layout = out.layout(node)
    data = out.read(node, 0, layout)
    out.tape.reduce_into("MEAN", data, _spatial(layout), out.output(node, layout))


def _spatial(layout: Permutation) -> list[int]:
    """The physical axes that hold neither the batch nor the channels."""
    return [place for place, axis in enumerate(layout) if axis > 1]


def _separably(out: FlatGraph, data: FlatTensor, window: Window, pooling: Pooling) -> FlatTensor:
    """Pool a channels-last tensor two axes at a time: 1D with a height of 1, 3D over (H, W) and then over depth."""
    batch, channels, tape = data.shape[0], data.shape[-1], out.tape
    if len(window.kernel) == 2:
        return pooling(data, window)
    if len(window.kernel) == 1:
        flat = pooling(tape.reshape(data, (batch, 1, *data.shape[1:])), window.part(0).raised())
        return tape.reshape(flat, (batch, flat.shape[2], channels))
    depth, (height, width) = window.sizes[0], window.output_sizes[1:]
    planes = pooling(tape.reshape(data, (batch * depth, *window.sizes[1:], channels)), window.part(1, 2))
    columns = tape.reshape(planes, (batch, depth, height * width, channels))
    pooled = pooling(columns, window.part(0).widened(height * width))
    return tape.reshape(pooled, (batch, *window.output_sizes, channels))


def _average(out: FlatGraph) -> Pooling:
    def pooled(tensor: FlatTensor, flat: Window) -> FlatTensor:
        padding = flat.padding()
        assert padding is not None
        return _pool_2d(out, "AVERAGE_POOL_2D", tensor, flat, padding)

    return pooled


def _average_of_padded(out: FlatGraph) -> Pooling:
    """Every window is divided by the whole kernel's size, pads counted as zeros."""

    def pooled(tensor: FlatTensor, flat: Window) -> FlatTensor:
        padded = out.tape.pad(tensor, ((0, 0), *flat.needed_pads(), (0, 0)))
        return _pool_2d(out, "AVERAGE_POOL_2D", padded, flat, VALID)

    return pooled


def _pool_2d(out: FlatGraph, builtin: str, tensor: FlatTensor, window: Window, padding: int) -> FlatTensor:
    shape = (tensor.shape[0], *window.output_sizes, tensor.shape[3])
    return out.tape.compute(
        builtin,
        tensor,
        shape=shape,
        builtin_options=options(
            "Pool2DOptions",
            padding=padding,
            strideH=window.strides[0],
            strideW=window.strides[1],
            filterHeight=window.kernel[0],
            filterWidth=window.kernel[1],
            fusedActivationFunction=0,
        ),
    )


def _averaging_convolution(out: FlatGraph) -> Pooling:
    """int8: a depthwise convolution with ones of scale 1 / kernel size. XNNPACK has no int8 AVERAGE_POOL_2D."""

    def pooled(tensor: FlatTensor, flat: Window) -> FlatTensor:
        assert tensor.params is not None
        share = 1.0 / math.prod(flat.kernel)
        ones = per_tensor(share, 0)
        bias = per_tensor(float(tensor.params.scale) * share, 0, QuantType.INT32)
        return _ones_convolution(out, tensor, flat, ones, bias)

    return pooled


def _window_sums(out: FlatGraph, data: FlatTensor, window: Window) -> FlatTensor:
    """Sums over windows of zero-padded float data."""

    def summed(tensor: FlatTensor, flat: Window) -> FlatTensor:
        return _ones_convolution(out, tensor, flat, None, None)

    return _separably(out, data, window, summed)


def _ones_convolution(
    out: FlatGraph, tensor: FlatTensor, window: Window, ones: QuantParams | None, bias: QuantParams | None
) -> FlatTensor:
    """A depthwise convolution of zero-padded data with integers or floats of 1; it may be dilated."""
    channels, tape = tensor.shape[3], out.tape
    padding = window.padding()
    if padding is None:
        tensor, padding = tape.pad(tensor, ((0, 0), *window.needed_pads(), (0, 0))), VALID
    taps = np.ones((1, *window.kernel, channels), np.float32 if ones is None else np.int8)
    zeros = np.zeros(channels, np.float32 if bias is None else np.int32)
    return tape.compute(
        "DEPTHWISE_CONV_2D",
        tensor,
        tape.constant(taps, ones),
        tape.constant(zeros, bias),
        shape=(tensor.shape[0], *window.output_sizes, channels),
        builtin_options=options(
            "DepthwiseConv2DOptions",
            padding=padding,
            strideH=window.strides[0],
            strideW=window.strides[1],
            depthMultiplier=1,
            dilationHFactor=window.dilations[0],
            dilationWFactor=window.dilations[1],
        ),
    )


def _all_equal(left: list[NDArray[np.float32]], right: list[NDArray[np.float32]]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def _counts(window: Window, include_pads: bool) -> list[NDArray[np.float32]]:
    """Per spatial axis: how many elements each window averages over."""
    found = []
    for i, (before, after) in enumerate(window.pads):
        starts = np.arange(window.output_sizes[i]) * window.strides[i] - before
        taps = starts[:, None] + np.arange(window.kernel[i]) * window.dilations[i]
        low, high = (-before, window.sizes[i] + after) if include_pads else (0, window.sizes[i])
        found.append(((taps >= low) & (taps < high)).sum(axis=1).astype(np.float32))
    return found


def _outer(counts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(1, spatial..., 1): the product of the axes' counts."""
    grid = reduce(np.multiply.outer, counts)
    return np.maximum(grid, np.float32(1))[None, ..., None]


def _lowest(data: FlatTensor) -> float:
    return float(np.finfo(np.float32).min) if data.params is None else data.params.real_range()[0]


def _finish(node: HubNode, out: FlatGraph, tensor: FlatTensor, layout: Permutation) -> None:
    assert tensor.shape == permuted(node.output_shape(), layout)
    out.bind(node, tensor, layout)


def _pool_window(node: HubNode) -> Window:
    """The node's window. Refuses the outputs that ONNX's shape inference counts and its runtimes don't."""
    window = window_of(node, node.integers("kernel_shape", ()))
    for size, (before, _), outputs, stride in zip(
        window.sizes, window.pads, window.output_sizes, window.strides, strict=True
    ):
        if (outputs - 1) * stride >= size + before:
            raise node.unsupported("with ceil_mode its last window starts beyond the end of the input")
    return window


def _require_float(node: HubNode) -> None:
    if node.dtype() != np.float32:
        raise node.unsupported(f"its input is {node.dtype().name}; expected float32")
