"""Layers that make masks."""

from __future__ import annotations

import numpy as np

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value


def _shown(call: LayerCall) -> Value:
    """(N, T, 1): the steps of which any feature differs from ``mask_value``."""
    x = call.only
    same = call.binary("Equal", x, np.asarray(call.settings.number("mask_value", 0.0)), "same")
    other = call.unary("Not", same, "other")
    last = call.constant(np.array([-1], np.int64), "last_axis")
    return call.value(call.node("ReduceMax", other.plain, last, part="shown", keepdims=1))


def _mask(call: LayerCall) -> tuple[Value | None, ...]:
    last = call.constant(np.array([-1], np.int64), "last_axis")
    return (call.value(call.node("Squeeze", _shown(call).plain, last, part="mask")),)


@reads("Masking", masks=_mask)
def masking(call: LayerCall) -> Value:
    """Hidden steps become zeros."""
    zero = call.constant(np.array(0, call.only.dtype), "zero")
    return call.value(call.node("Where", _shown(call).plain, call.only.plain, zero))
