"""Activations that are layers of their own."""

from __future__ import annotations

from edgekit_converters.sources.keras.activations import FUNCTIONS, by_name
from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.masks import kept
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value


@reads("Activation", masks=kept)
def activation(call: LayerCall) -> Value:
    return by_name(call, call.only, call.settings.get("activation"), part="")


@reads("ReLU", masks=kept)
def relu(call: LayerCall) -> Value:
    return FUNCTIONS["relu"](call, call.only, call.settings, "")


@reads("LeakyReLU", masks=kept)
def leaky_relu(call: LayerCall) -> Value:
    """Keras's layer has a slope of .3 by default, its function .2."""
    return call.unary("LeakyRelu", call.only, alpha=call.settings.number("negative_slope", 0.3))


@reads("ELU", masks=kept)
def elu(call: LayerCall) -> Value:
    return FUNCTIONS["elu"](call, call.only, call.settings, "")


@reads("Softmax", masks=kept)
def softmax(call: LayerCall) -> Value:
    return FUNCTIONS["softmax"](call, call.only, call.settings, "")


@reads("ThresholdedReLU", masks=kept)
def thresholded_relu(call: LayerCall) -> Value:
    return call.unary("ThresholdedRelu", call.only, alpha=call.settings.number("theta", 1.0))


def _alpha(_: Settings) -> tuple[str, ...]:
    return ("alpha",)


@reads("PReLU", weights=_alpha, masks=kept)
def prelu(call: LayerCall) -> Value:
    """The slopes have the input's shape without the batch, and 1 along shared axes."""
    x = call.only
    slopes = call.weight("alpha", x.rank - 1)
    layout = x.preferred
    slope = call.constant(slopes[None].transpose(layout)[0], "alpha")
    return call.value(call.node("PRelu", x.variant(layout), slope), layout)
