"""Scales at which an addition rounds alike in every runtime.

XNNPACK adds in fixed point and rounds ties up; ONNX Runtime adds in float32 and rounds them to even. The two differ only where a
sum lies (almost) half way between two integers. With scales of simple ratios, 3 : 4 say, that is every few sums; with most
others it is none of the 65,536 pairs of operands, and a hair's breadth leads from the one to the other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 2.0**-13
"""Relative change of the output's scale from one try to the next; 32 tries move the end of the range by one integer."""

MOST_TRIES = 96


def rounds_alike(first: float, second: float, output: float) -> bool:
    """Whether an int8 addition of operands with scales ``first`` and ``second`` into the scale ``output`` gives the same integer
    in fixed point with ties up (XNNPACK's ``qs8-vadd``) and in floating point with ties to even (ONNX Runtime's QLinearAdd), for
    every pair of operands.
    """
    ratios = np.float32(first) / np.float32(output), np.float32(second) / np.float32(output)
    shift = 20 - math.floor(math.log2(max(ratios)))
    if not 0 < shift < 31:
        return True
    fixed = _sums(*(int(np.rint(float(ratio) * 2.0**shift)) for ratio in ratios))
    rounded_up = (fixed + (1 << (shift - 1))) >> shift
    exact = _sums(*map(float, ratios))
    inside = np.abs(exact) < 300.0
    return bool((rounded_up == np.rint(exact))[inside].all())


def shrunk_until_alike(first: float, second: float, output: float) -> float:
    """Factor, at most 1, on the output's scale at which the addition rounds alike; 1 when none of the tries does."""
    for attempt in range(MOST_TRIES):
        factor = 1.0 - attempt * STEP
        if rounds_alike(first, second, output * factor):
            return factor
    return 1.0


def _sums(first: float, second: float) -> NDArray[Any]:
    """All sums of two scaled int8 differences from a zero point, as a table (511, 511); int64 where both scales are int."""
    differences: NDArray[Any] = np.arange(-255, 256).astype(np.int64 if isinstance(first, int) else np.float64)
    table: NDArray[Any] = np.add.outer(differences * first, differences * second)
    return table
