"""Student's t distribution, for intervals from a handful of repetitions."""

from __future__ import annotations

import math


def student_t(probability: float, degrees: int) -> float:
    """The t that a variable with that many degrees of freedom stays below with ``probability`` (at least .5)."""
    if degrees < 1 or not 0.5 <= probability < 1.0:
        raise ValueError(
            f"student_t needs degrees of 1 or more and .5 <= probability < 1, got {degrees}, {probability}"
        )
    low, high = 0.0, 1.0
    while _within(high, degrees) < 2 * probability - 1:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < 2 * probability - 1 else (low, middle)
    return high


def _within(t: float, degrees: int) -> float:
    """P(-t < T < t), by the finite series of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine, odd = math.cos(angle), degrees % 2
    term = cosine if odd else 1.0
    total = 0.0
    for power in range(1 + odd, degrees, 2):
        total += term
        term *= cosine**2 * power / (power + 1)
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
