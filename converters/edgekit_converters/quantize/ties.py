"""Scales at which additions and averages round alike in every runtime.

XNNPACK adds in fixed point and rounds ties up; ONNX Runtime adds in float32 and rounds them to even. The two differ only where a
sum lies (almost) half way between two integers. With scales of simple ratios, 3 : 4 say, that is every few sums; with most
others it is a handful of the 65,536 pairs of operands, and a hair's breadth leads from these to scales where it is none.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.params import QuantParams

STEP = 2.0**-13
"""Relative change of the output's range from one try to the next; 32 tries move its end by one integer."""

MOST_TRIES = 128

FLOAT_ERROR = 3e-5
"""Largest error of a sum of two scaled 8-bit integers and an offset in float32, in whatever order: two roundings below 256."""

MOST_AVERAGED = 1024
"""Numbers in a mean up to which scales without ties exist: more sums than that leave no gap."""


def rounds_alike(first: QuantParams, second: QuantParams, output: QuantParams) -> bool:
    """Whether an int8 addition gives the same integer in fixed point with ties up (XNNPACK's ``qs8-vadd``) and in float32
    (ONNX Runtime's QLinearAdd), for every pair of operands. The parameters are per-tensor int8.
    """
    ratios = first.scale / output.scale, second.scale / output.scale
    shift = 20 - math.floor(math.log2(max(ratios)))
    if not 0 < shift < 31:
        return True
    exact = _sums(first, second, *map(float, ratios)) + int(output.zero_point)
    fixed = _sums(first, second, *(int(np.rint(float(ratio) * 2.0**shift)) for ratio in ratios))
    rounded_up = ((fixed + (1 << (shift - 1))) >> shift) + int(output.zero_point)
    to_tie = np.abs(exact - np.floor(exact) - 0.5)
    alike = (rounded_up == np.rint(exact)) & (to_tie > FLOAT_ERROR)
    saturates = (exact < output.low - 1) | (exact > output.dtype.high + 1)
    return bool((alike | saturates).all())


def averages_alike(data: QuantParams, count: int, output: QuantParams) -> bool:
    """Whether the mean of ``count`` int8 numbers is so far from a tie, whatever their sum, that a last bit of the float32 factor
    by which the sum is multiplied decides nothing.
    """
    sums = np.arange(-128 * count, 127 * count + 1) - int(data.zero_point) * count
    exact = sums * (float(data.scale) / float(output.scale) / count) + int(output.zero_point)
    to_tie = np.abs(exact - np.floor(exact) - 0.5)
    saturates = (exact < output.low - 1) | (exact > output.dtype.high + 1)
    return bool(((to_tie > FLOAT_ERROR) | saturates).all())


def _sums(first: QuantParams, second: QuantParams, left: float, right: float) -> NDArray[Any]:
    """``left`` times every first operand plus ``right`` times every second one, (256, 256); int64 where both factors are int."""
    integers = np.arange(-128, 128)
    table: NDArray[Any] = np.add.outer((integers - first.zero_point) * left, (integers - second.zero_point) * right)
    return table
