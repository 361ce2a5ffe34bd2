"""Normalizations."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.masks import kept
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Layout, Value, channels_first, native


def gamma_and_beta(settings: Settings) -> tuple[str, ...]:
    """RMS scaling is a scale without an offset."""
    root_mean_square = settings.flag("rms_scaling", False)
    gamma = ("gamma",) if settings.flag("scale", True) or root_mean_square else ()
    beta = ("beta",) if settings.flag("center", True) and not root_mean_square else ()
    return gamma + beta


def _batch_weights(settings: Settings) -> tuple[str, ...]:
    return (*gamma_and_beta(settings), "moving_mean", "moving_variance")


@reads("BatchNormalization", weights=_batch_weights, masks=kept)
def batch_normalization(call: LayerCall) -> Value:
    """A BatchNormalization node, or Mul and Add where that would cost a transpose."""
    x = call.only
    axis = _axis(call, x.rank)
    mean, variance = call.weight("moving_mean", 1), call.weight("moving_variance", 1)
    gamma = call.weights.get("gamma", np.ones_like(mean))
    beta = call.weights.get("beta", np.zeros_like(mean))
    epsilon = call.settings.number("epsilon", 1e-3)
    layout = next((one for one in _channels_second(x, axis)), None)
    if layout is not None:
        arrays = (("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance))
        constants = (call.constant(array.astype(np.float32), role) for role, array in arrays)
        return call.value(call.node("BatchNormalization", x.variant(layout), *constants, epsilon=epsilon), layout)
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    offset = beta - mean * scale
    shape = tuple(-1 if one == axis else 1 for one in range(1, x.rank))
    scaled = call.binary("Mul", x, scale.astype(np.float32).reshape(shape), "scale")
    return call.binary("Add", scaled, offset.astype(np.float32).reshape(shape), "offset")


def _channels_second(x: Value, axis: int) -> list[Layout]:
    """Layouts to be had that put ``axis`` behind the batch; for a model's own input the transposed one counts too."""
    found = [layout for layout in x.layouts if layout[:2] == (0, axis)]
    if not found and axis == x.rank - 1 and x.plain.is_graph_input():
        return [channels_first(x.rank)]
    return found


@reads("LayerNormalization", weights=gamma_and_beta, masks=kept)
def layer_normalization(call: LayerCall) -> Value:
    x = call.only
    axes = sorted(axis % x.rank for axis in call.settings.integers("axis", (-1,)))
    first = x.rank - len(axes)
    if axes != list(range(first, x.rank)):
        raise call.unsupported(f"normalizes over the axes {axes}; readable are the last ones, without a gap")
    shape = [x.shape[axis] for axis in axes]
    epsilon = call.settings.number("epsilon", 1e-3)
    if call.settings.flag("rms_scaling", False):
        return _root_mean_square(call, x, axes, call.weight("gamma"), epsilon)
    gamma = call.weights.get("gamma")
    if gamma is None:
        if None in shape:
            raise call.unsupported(
                "has no scale and normalizes over a size that is not known; give it with --input-shape"
            )
        gamma = np.ones([size or 1 for size in shape], np.float32)
    beta = call.weights.get("beta")
    operands = [x.plain, call.constant(gamma, "gamma"), *([] if beta is None else [call.constant(beta, "beta")])]
    return call.value(call.node("LayerNormalization", *operands, axis=first - x.rank, epsilon=epsilon))


def _rms_weights(_: Settings) -> tuple[str, ...]:
    return ("scale",)


@reads("RMSNormalization", weights=_rms_weights)
def rms_normalization(call: LayerCall) -> Value:
    x = call.only
    axes = [axis % x.rank for axis in call.settings.integers("axis", (-1,))]
    return _root_mean_square(call, x, axes, call.weight("scale"), call.settings.number("epsilon", 1e-6))


def _root_mean_square(call: LayerCall, x: Value, axes: list[int], scale: NDArray[Any], epsilon: float) -> Value:
    """x / sqrt(mean(x**2) + epsilon) * scale; the scale has the sizes of the last of the axes."""
    layout = native(x.rank)
    square = call.binary("Mul", call.value(x.plain), call.value(x.plain), "square")
    mean = _reduced(call, "ReduceMean", square, axes, layout, "mean")
    root = call.unary("Sqrt", call.binary("Add", mean, epsilon, "epsilon"), "root")
    return call.binary("Mul", call.binary("Div", call.value(x.plain), root, "divide"), scale)


@reads("GroupNormalization", weights=gamma_and_beta, masks=kept)
def group_normalization(call: LayerCall) -> Value:
    x = call.only
    axis = _axis(call, x.rank)
    channels = x.shape[axis]
    if channels is None or axis not in (1, x.rank - 1):
        raise call.unsupported(f"normalizes axis {axis} of {x.shape}; readable is the first or last one, of known size")
    groups = call.settings.integer("groups", 32)
    layout = native(x.rank) if axis == 1 else channels_first(x.rank)
    gamma = call.weights.get("gamma", np.ones(channels, np.float32))
    beta = call.weights.get("beta", np.zeros(channels, np.float32))
    made = call.node(
        "GroupNormalization",
        x.variant(layout),
        call.constant(gamma, "gamma"),
        call.constant(beta, "beta"),
        num_groups=channels if groups == -1 else groups,
        epsilon=call.settings.number("epsilon", 1e-3),
    )
    return call.value(made, layout)


@reads("UnitNormalization", masks=kept)
def unit_normalization(call: LayerCall) -> Value:
    """x * rsqrt(max(sum of squares, 1e-12)), as Keras computes it."""
    x = call.only
    axes = [axis % x.rank for axis in call.settings.integers("axis", (-1,))]
    return unit_length(call, x, axes)


def unit_length(call: LayerCall, x: Value, axes: list[int]) -> Value:
    layout = x.preferred
    tensor = call.value(x.variant(layout), layout)
    squares = _reduced(call, "ReduceSumSquare", tensor, axes, layout, "squares")
    length = call.unary("Sqrt", call.binary("Max", squares, 1e-12, "floor"), "length")
    return call.binary("Div", tensor, length)


@reads("Rescaling", masks=kept)
def rescaling(call: LayerCall) -> Value:
    """x * scale + offset; scale and offset are a number or a list along the last axis."""
    x = as_float(call, call.only)
    scaled = call.binary("Mul", x, _numbers(call, "scale", 1.0), "scale")
    offset = _numbers(call, "offset", 0.0)
    return call.binary("Add", scaled, offset, "offset") if np.any(offset) else scaled


def _statistics(settings: Settings) -> tuple[str, ...]:
    return () if settings.get("mean") is not None else ("mean", "variance")


@reads("Normalization", weights=_statistics, masks=kept)
def normalization(call: LayerCall) -> Value:
    """(x - mean) / max(sqrt(variance), 1e-7), or its inverse; the statistics lie along ``axis``."""
    x = as_float(call, call.only)
    raw = call.settings.get("axis")
    axes = sorted(axis % x.rank for axis in call.settings.integers("axis", ())) if raw is not None else []
    given = "mean" not in call.weights
    mean, variance = (
        _spread(_numbers(call, role, 0.0) if given else call.weight(role), axes, x.rank)
        for role in ("mean", "variance")
    )
    deviation = np.maximum(np.sqrt(variance), np.float32(1e-7))
    if call.settings.flag("invert", False):
        return call.binary("Add", call.binary("Mul", x, deviation, "scale"), mean, "offset")
    return call.binary("Div", call.binary("Sub", x, mean, "mean"), deviation, "deviation")


def as_float(call: LayerCall, x: Value) -> Value:
    """The tensor as float32: whole numbers are cast."""
    return x if x.dtype == "float32" else call.unary("Cast", x, "cast", to=ir.DataType.FLOAT.value)


def _spread(statistic: NDArray[Any], axes: list[int], rank: int) -> NDArray[Any]:
    """The statistic with axes of size 1 where it does not vary."""
    sizes = statistic.shape if statistic.ndim == len(axes) else statistic.reshape(-1).shape
    if statistic.size == 1 or len(sizes) != len(axes):
        return statistic.reshape(statistic.shape if statistic.size > 1 else ())
    shape = [1] * rank
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    return statistic.reshape(shape)


def _numbers(call: LayerCall, key: str, default: float) -> NDArray[np.float32]:
    raw = call.settings.get(key)
    if isinstance(raw, dict):
        raw = raw.get("value", raw.get("config", {}))
        raw = raw.get("value") if isinstance(raw, dict) else raw
    return np.asarray(default if raw is None else raw, np.float32)


def _axis(call: LayerCall, rank: int) -> int:
    axes = call.settings.integers("axis", (-1,))
    if len(axes) != 1:
        raise call.unsupported(f"normalizes over the axes {list(axes)}; readable is one axis")
    return axes[0] % rank


def _reduced(call: LayerCall, op_type: str, x: Value, axes: list[int], layout: Layout, part: str) -> Value:
    """The reduction of a variant, its axes kept with size 1."""
    places = call.constant(np.array(sorted(layout.index(axis) for axis in axes), np.int64), f"{part}_axes")
    return call.value(call.node(op_type, x.variant(layout), places, part=part, keepdims=1), layout)
