"""Activations that TFLite operators perform themselves, and the bounds of Relu and Clip."""

from __future__ import annotations

import enum
import math

from edgekit_converters.writers.tflite.node import HubNode


class FusedActivation(enum.Enum):
    """The schema's ActivationFunctionType: its code and what it clamps to."""

    NONE = (0, -math.inf, math.inf)
    RELU = (1, 0.0, math.inf)
    RELU_N1_TO_1 = (2, -1.0, 1.0)
    RELU6 = (3, 0.0, 6.0)

    def __init__(self, code: int, low: float, high: float) -> None:
        self.code, self.low, self.high = code, low, high


def fused_activation(node: HubNode) -> FusedActivation | None:
    """What stands for an activation node as a fused one; None when TFLite can't fuse it."""
    bounds = clamp_bounds(node)
    return None if bounds is None else fused_for(*bounds)


def fused_for(low: float, high: float) -> FusedActivation | None:
    for fused in FusedActivation:
        if (fused.low, fused.high) == (low, high):
            return fused
    return None


def clamp_bounds(node: HubNode) -> tuple[float, float] | None:
    """(low, high) of a Relu or of a Clip with constant bounds, infinite where open; None for any other node."""
    if node.op == "Relu":
        return 0.0, math.inf
    if node.op != "Clip":
        return None
    low, high = node.constant(1), node.constant(2)
    if (node.has(1) and low is None) or (node.has(2) and high is None):
        return None
    return (-math.inf if low is None else _bound(low)), (math.inf if high is None else _bound(high))


def _bound(array: object) -> float:
    """The largest float32 numbers, which some exporters write, mean no bound."""
    import numpy as np

    number = float(np.asarray(array).reshape(-1)[0])
    return math.copysign(math.inf, number) if abs(number) >= float(np.finfo(np.float32).max) else number
