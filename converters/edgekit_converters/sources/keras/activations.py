"""Activation functions: one small function each, by the name that a layer's ``activation`` entry gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from edgekit.errors import UnsupportedLayerError
from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.config import WAY_OUT
from edgekit_converters.sources.keras.dialect import modern
from edgekit_converters.sources.keras.graph import Layer
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.value import Value

Function: TypeAlias = Callable[[LayerCall, Value, Settings, str], Value]
"""(the call that emits, its input, the function's options, the part of the layer that nodes are named after)."""


def activated(call: LayerCall, tensor: Value) -> Value:
    """The tensor behind the layer's own ``activation``, if it has one."""
    raw = call.settings.get("activation")
    if raw is None or raw == "linear":
        return tensor
    return by_name(call, tensor, raw)


def by_name(call: LayerCall, tensor: Value, raw: object, part: str | None = None) -> Value:
    """The tensor behind the activation that a configuration entry describes: a name, or a serialized function or layer."""
    name, options = described(raw)
    if name in FUNCTIONS:
        return FUNCTIONS[name](call, tensor, options, name if part is None else part)
    if isinstance(raw, Mapping) and raw.get("class_name") not in (None, "function"):
        layer = Layer(name, call.layer.name, f"{call.name}/{name.lower()}", options)
        return activation_layer(call, layer, tensor)
    raise UnsupportedLayerError(
        f"layer {call.name!r} has the activation {name!r}, which is none of Keras's own that the reader knows. {WAY_OUT}"
    )


def activation_layer(call: LayerCall, layer: Layer, tensor: Value) -> Value:
    """An activation that is itself a layer without weights."""
    from edgekit_converters.sources.keras.table import rules

    rule = rules().get(layer.kind)
    if rule is None or rule.roles(layer.settings):
        raise UnsupportedLayerError(f"layer {call.name!r} has the layer {layer.kind!r} as its activation. {WAY_OUT}")
    return call.apply(layer, (tensor,), {})[0]


def described(raw: object) -> tuple[str, Settings]:
    """Name and options of the activation that a configuration entry means."""
    if not isinstance(raw, Mapping):
        return str(raw), Settings({})
    config = raw.get("config")
    if isinstance(config, Mapping):
        kind, options = modern(str(raw.get("class_name")), config)
        return kind, Settings(options)
    return str(config or raw.get("registered_name") or raw.get("class_name")), Settings({})


def relu(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    """``max_value``, ``negative_slope`` and ``threshold`` in the order in which Keras applies them."""
    slope, threshold = options.number("negative_slope", 0.0), options.number("threshold", 0.0)
    top = options.number("max_value") if options.get("max_value") is not None else None
    if threshold == 0.0 and top is None:
        return call.unary("LeakyRelu", x, part, alpha=slope) if slope else call.unary("Relu", x, part)
    positive = call.unary("ThresholdedRelu", x, part, alpha=threshold) if threshold else x
    if top is not None:
        positive = clip(call, positive, 0.0, top, part)
    elif not threshold:
        positive = call.unary("Relu", positive, part)
    if not slope:
        return positive
    below = call.unary("Relu", call.binary("Sub", threshold, x, part), part)
    return call.binary("Sub", positive, call.binary("Mul", below, slope, part), part)


def clip(call: LayerCall, x: Value, low: float, high: float, part: str) -> Value:
    layout = x.preferred
    bounds = (call.constant(np.array(bound, np.float32), "bound") for bound in (low, high))
    return call.value(call.node("Clip", x.variant(layout), *bounds, part=part), layout)


def leaky_relu(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    return call.unary("LeakyRelu", x, part, alpha=options.number("negative_slope", options.number("alpha", 0.2)))


def hard_sigmoid(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
    """Keras 3: clip(x/6 + .5); Keras 1 and 2: clip(.2 x + .5)."""
    alpha = 1 / 6 if call.provenance.major >= 3 else 0.2
    return call.unary("HardSigmoid", x, part, alpha=alpha, beta=0.5)


def sparse_sigmoid(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
    return call.unary("HardSigmoid", x, part, alpha=0.5, beta=0.5)


def silu(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
    return call.binary("Mul", x, call.unary("Sigmoid", x, part), part)


def gelu(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    return call.unary("Gelu", x, part, approximate="tanh" if options.flag("approximate", False) else "none")


def tanh_shrink(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
    return call.binary("Sub", x, call.unary("Tanh", x, part), part)


def hard_shrink(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    return call.unary("Shrink", x, part, lambd=options.number("threshold", 0.5), bias=0.0)


def soft_shrink(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    threshold = options.number("threshold", 0.5)
    return call.unary("Shrink", x, part, lambd=threshold, bias=threshold)


def log_sigmoid(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
    return call.unary("Neg", call.unary("Softplus", call.unary("Neg", x, part), part), part)


def squareplus(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    """(x + sqrt(x**2 + b)) / 2."""
    inside = call.binary("Add", call.binary("Mul", x, x, part), options.number("b", 4.0), part)
    return call.binary("Mul", call.binary("Add", x, call.unary("Sqrt", inside, part), part), 0.5, part)


def sparse_plus(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
    """0 below -1, (x + 1)**2 / 4 up to 1, x above: the sum of clip(x, -1, 1) squared and of what exceeds 1."""
    bent = call.binary("Add", clip(call, x, -1.0, 1.0, part), 1.0, part)
    square = call.binary("Mul", call.binary("Mul", bent, bent, part), 0.25, part)
    return call.binary("Add", square, call.unary("Relu", call.binary("Sub", x, 1.0, part), part), part)


def threshold(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    """x above the threshold, ``default_value`` elsewhere."""
    layout = x.preferred
    limit = call.constant(np.float32(options.number("threshold")), "threshold")
    other = call.constant(np.float32(options.number("default_value")), "default_value")
    above = call.node("Greater", x.variant(layout), limit, part=part)
    return call.value(call.node("Where", above, x.variant(layout), other, part=part), layout)


def glu(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    """The first half along ``axis`` times the sigmoid of the second."""
    layout = x.preferred
    axis = layout.index(options.integer("axis", -1) % x.rank)
    halves = call.graph.ops("Split", x.variant(layout), outputs=2, name=f"{call.name}/split", axis=axis, num_outputs=2)
    gate = call.unary("Sigmoid", call.value(halves[1], layout), part)
    return call.binary("Mul", call.value(halves[0], layout), gate, part)


def softmax(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    return _along_axis("Softmax", call, x, options, part)


def log_softmax(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    return _along_axis("LogSoftmax", call, x, options, part)


def _along_axis(op_type: str, call: LayerCall, x: Value, options: Settings, part: str) -> Value:
    axes = {axis % x.rank for axis in options.integers("axis", (-1,))}
    if len(axes) != 1:
        raise call.unsupported(f"normalizes over the axes {sorted(axes)} at once; readable is one axis. {WAY_OUT}")
    axis = axes.pop()
    if axis == x.rank - 1:  # integer kernels want the last axis
        return call.value(call.node(op_type, x.plain, part=part, axis=-1))
    layout = x.preferred
    return call.value(call.node(op_type, x.variant(layout), part=part, axis=layout.index(axis)), layout)


def linear(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
    return x


def _op(op_type: str, **attributes: float) -> Function:
    """An activation that is one ONNX op with fixed attributes."""

    def emit(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
        return call.unary(op_type, x, part, **attributes)

    return emit


def _alpha(op_type: str) -> Function:
    """An activation that is one ONNX op with ``alpha``."""

    def emit(call: LayerCall, x: Value, options: Settings, part: str) -> Value:
        return call.unary(op_type, x, part, alpha=options.number("alpha", 1.0))

    return emit


def _clip(low: float, high: float) -> Function:
    def emit(call: LayerCall, x: Value, _: Settings, part: str) -> Value:
        return clip(call, x, low, high, part)

    return emit


FUNCTIONS: Mapping[str, Function] = {
    "celu": _alpha("Celu"),
    "elu": _alpha("Elu"),
    "exponential": _op("Exp"),
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": _op("HardSwish"),
    "hard_swish": _op("HardSwish"),
    "hard_tanh": _clip(-1.0, 1.0),
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": _op("Mish"),
    "relu": relu,
    "relu6": _clip(0.0, 6.0),
    "selu": _op("Selu"),
    "sigmoid": _op("Sigmoid"),
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": _op("Softplus"),
    "softsign": _op("Softsign"),
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "squareplus": squareplus,
    "swish": silu,
    "tanh": _op("Tanh"),
    "tanh_shrink": tanh_shrink,
    "threshold": threshold,
}
