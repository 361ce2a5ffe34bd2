"""Poolings, in windows and over everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.padding import window_padding
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value


@reads("MaxPooling1D", "MaxPooling2D", "MaxPooling3D")
def max_pooling(call: LayerCall) -> Value:
    return _window(call, "MaxPool")


@reads("AveragePooling1D", "AveragePooling2D", "AveragePooling3D")
def average_pooling(call: LayerCall) -> Value:
    """Padded cells don't count."""
    return _window(call, "AveragePool", count_include_pad=0)


def _window(call: LayerCall, op_type: str, **attributes: Any) -> Value:
    x = call.only
    rank = x.rank - 2
    layout = call.spatial_layout(x.rank)
    sizes = call.settings.spatial("pool_size", rank, 2)
    strides = call.settings.spatial("strides", rank) if call.settings.get("strides") is not None else sizes
    spatial = [x.shape[axis] for axis in layout[2:]]
    pads = window_padding(call.settings.text("padding", "valid"), spatial, sizes, strides, (1,) * rank)
    made = call.node(op_type, x.variant(layout), kernel_shape=list(sizes), strides=list(strides), **pads, **attributes)
    return call.value(made, layout)


@reads("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D")
def global_average(call: LayerCall) -> Value:
    if call.mask is not None and call.layer.kind.endswith("1D") and call.channels_last:
        return _average_of_shown(call, call.mask)
    return _global(call, "GlobalAveragePool", "ReduceMean")


def _average_of_shown(call: LayerCall, mask: Value) -> Value:
    """The mean of the steps that count."""
    x, keep = call.only, int(call.settings.flag("keepdims", False))
    last, steps = (call.constant(np.array([axis], np.int64), name) for axis, name in ((2, "last_axis"), (1, "axes")))
    shown = call.node("Unsqueeze", mask.plain, last, part="shown")
    zero = call.constant(np.array(0, np.float32), "zero")
    total = call.node("ReduceSum", call.node("Where", shown, x.plain, zero), steps, part="total", keepdims=keep)
    ones = call.node("Cast", shown, part="ones", to=ir.DataType.FLOAT.value)
    count = call.node("ReduceSum", ones, steps, part="count", keepdims=keep)
    return call.value(call.node("Div", total, count, part="mean"))


@reads("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D")
def global_max(call: LayerCall) -> Value:
    return _global(call, "GlobalMaxPool", "ReduceMax")


def _global(call: LayerCall, pool: str, reduction: str) -> Value:
    """The pooling op where the channels stand behind the batch; the reduction where that would cost a transpose."""
    x = call.only
    layout = call.spatial_layout(x.rank)
    keep = call.settings.flag("keepdims", False)
    if layout not in x.layouts:
        axes = call.constant(np.array(sorted(layout[2:]), np.int64), "axes")
        return call.value(call.node(reduction, x.plain, axes, keepdims=int(keep)))
    pooled = call.node(pool, x.variant(layout))
    if keep:
        return call.value(pooled, layout)
    return call.value(call.node("Flatten", pooled, part="flatten", axis=1))


@reads("AdaptiveAveragePooling2D", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling3D")
def adaptive_average(call: LayerCall) -> Value:
    """Only where the windows come out equal: each size a multiple of the output's."""
    return _adaptive(call, "AveragePool")


@reads("AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D")
def adaptive_max(call: LayerCall) -> Value:
    return _adaptive(call, "MaxPool")


def _adaptive(call: LayerCall, op_type: str) -> Value:
    x = call.only
    layout = call.spatial_layout(x.rank)
    targets = call.settings.spatial("output_size", x.rank - 2)
    sizes = [x.shape[axis] for axis in layout[2:]]
    windows = [size // target for size, target in zip(sizes, targets, strict=True) if size and size % target == 0]
    if len(windows) != len(sizes):
        raise call.unsupported(f"pools {sizes} to {list(targets)}, which takes windows of unequal sizes")
    return call.value(call.node(op_type, x.variant(layout), kernel_shape=windows, strides=windows), layout)
