"""Convolutions. ONNX wants the channels behind the batch; kernels become (output, input / groups, spatial...)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.sources.keras.activations import activated
from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.padding import transposed_padding, window_padding
from edgekit_converters.sources.keras.rules.core import kernel_and_bias
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value


@reads("Conv1D", "Conv2D", "Conv3D", weights=kernel_and_bias)
def convolution(call: LayerCall) -> Value:
    kernel = call.weight("kernel", call.only.rank)
    rank = kernel.ndim - 2
    groups = call.settings.integer("groups", 1)
    return activated(call, _convolved(call, call.only, kernel.transpose(rank + 1, rank, *range(rank)), groups))


def _depthwise_weights(settings: Settings) -> tuple[str, ...]:
    return ("depthwise_kernel", "bias") if settings.flag("use_bias", True) else ("depthwise_kernel",)


@reads("DepthwiseConv1D", "DepthwiseConv2D", weights=_depthwise_weights)
def depthwise(call: LayerCall) -> Value:
    kernel, groups = _depthwise_kernel(call)
    return activated(call, _convolved(call, call.only, kernel, groups))


def _separable_weights(settings: Settings) -> tuple[str, ...]:
    bias = ("bias",) if settings.flag("use_bias", True) else ()
    return ("depthwise_kernel", "pointwise_kernel", *bias)


@reads("SeparableConv1D", "SeparableConv2D", weights=_separable_weights)
def separable(call: LayerCall) -> Value:
    """A depthwise convolution without bias and a pointwise one."""
    kernel, groups = _depthwise_kernel(call)
    spread = _convolved(call, call.only, kernel, groups, part="depthwise")
    pointwise = call.weight("pointwise_kernel", spread.rank)
    rank = pointwise.ndim - 2
    weight = call.constant(pointwise.transpose(rank + 1, rank, *range(rank)), "pointwise_kernel")
    layout = call.spatial_layout(spread.rank)
    bias = _bias(call)
    operands = (spread.variant(layout), weight) if bias is None else (spread.variant(layout), weight, bias)
    return activated(call, call.value(call.node("Conv", *operands, kernel_shape=[1] * rank), layout))


@reads("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", weights=kernel_and_bias)
def transposed(call: LayerCall) -> Value:
    x, kernel = call.only, call.weight("kernel", call.only.rank)
    rank = kernel.ndim - 2
    sizes = kernel.shape[:rank]
    strides, dilations = call.settings.spatial("strides", rank, 1), call.settings.spatial("dilation_rate", rank, 1)
    extra = call.settings.integers("output_padding") if call.settings.get("output_padding") is not None else None
    if extra is not None and len(extra) == 1:
        extra *= rank
    pads = transposed_padding(call.settings.text("padding", "valid"), sizes, strides, dilations, extra)
    weight = call.constant(kernel.transpose(rank + 1, rank, *range(rank)), "kernel")
    layout = call.spatial_layout(x.rank)
    bias = _bias(call)
    operands = (x.variant(layout), weight) if bias is None else (x.variant(layout), weight, bias)
    made = call.node(
        "ConvTranspose", *operands, kernel_shape=list(sizes), strides=list(strides), dilations=list(dilations), **pads
    )
    return activated(call, call.value(made, layout))


def _depthwise_kernel(call: LayerCall) -> tuple[NDArray[Any], int]:
    """(spatial..., channels, multiplier) becomes (channels * multiplier, 1, spatial...); also the number of channels."""
    raw = call.weight("depthwise_kernel", call.only.rank)
    rank = raw.ndim - 2
    channels, multiplier = raw.shape[-2:]
    kernel = raw.transpose(rank, rank + 1, *range(rank)).reshape(channels * multiplier, 1, *raw.shape[:rank])
    return kernel, channels


def _convolved(call: LayerCall, x: Value, kernel: NDArray[Any], groups: int, part: str = "") -> Value:
    """A Conv node with the layer's strides, padding and dilation; with its bias where it is the main node."""
    layout = call.spatial_layout(x.rank)
    sizes = kernel.shape[2:]
    strides = call.settings.spatial("strides", len(sizes), 1)
    dilations = call.settings.spatial("dilation_rate", len(sizes), 1)
    spatial = [x.shape[axis] for axis in layout[2:]]
    pads = window_padding(call.settings.text("padding", "valid"), spatial, sizes, strides, dilations)
    weight = call.constant(kernel, f"{part}_kernel" if part else "kernel")
    bias = None if part else _bias(call)
    operands = (x.variant(layout), weight) if bias is None else (x.variant(layout), weight, bias)
    made = call.node(
        "Conv",
        *operands,
        part=part,
        kernel_shape=list(sizes),
        strides=list(strides),
        dilations=list(dilations),
        group=groups,
        **pads,
    )
    return call.value(made, layout)


def _bias(call: LayerCall) -> ir.Value | None:
    return call.constant(call.weight("bias", 1).astype(np.float32), "bias") if "bias" in call.weights else None
