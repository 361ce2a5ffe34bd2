"""From a histogram to the range an 8-bit encoding should cover: percentile, entropy, least squares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.observers_histogram import Histogram

Numbers = NDArray[np.float64]

_STEPS = 255
"""Steps between the 256 levels of an asymmetric 8-bit encoding."""


def percentile_range(histogram: Histogram, percentile: float) -> tuple[float, float]:
    """(low, high) that leaves out ``(100 - percentile) / 2`` percent of the values at either end."""
    cumulated = np.concatenate([[0], np.cumsum(histogram.counts)])
    cut = cumulated[-1] * (100.0 - percentile) / 200.0
    first = int(np.searchsorted(cumulated, cut, side="right")) - 1
    last = int(np.searchsorted(cumulated, cumulated[-1] - cut, side="left")) - 1

    def position(target: float, index: int) -> float:
        inside = (target - cumulated[index]) / histogram.counts[index]
        return float(histogram.edges[index] + inside * histogram.width)

    return position(cut, first), position(cumulated[-1] - cut, last)


def least_squares_range(histogram: Histogram, low: float, high: float) -> tuple[float, float]:
    """(low, high) inside the given extremes with the least mean squared error of an asymmetric 8-bit encoding.

    Both ends are shrunk together, then each by itself, coarse to fine. The ends are fractions of the extremes, thus off the
    histogram's grid: scales of simple ratios would make exact ties frequent where two tensors are added.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return low, high
    filled = np.flatnonzero(histogram.counts)
    centres = histogram.edges[filled] + histogram.width / 2
    counts = histogram.counts[filled].astype(np.float64)

    def error(below: Numbers, above: Numbers) -> Numbers:
        return expected_error(centres, counts, low * below, high * above)

    def error_of_low(fractions: Numbers) -> Numbers:
        return error(fractions, np.full_like(fractions, above))

    def error_of_high(fractions: Numbers) -> Numbers:
        return error(np.full_like(fractions, below), fractions)

    below = above = _least(lambda both: error(both, both), _COARSE)
    if low < 0.0 < high:
        for window in (_WIDE, _NARROW):
            above = _least(error_of_high, above * window)
            below = _least(error_of_low, below * window)
    return low * below, high * above


def expected_error(values: Numbers, counts: Numbers, low: Numbers, high: Numbers) -> Numbers:
    """Sum of squared errors over ``values`` (V,) that occur ``counts`` (V,) times, for each range ``low..high`` (R,).

    Exactly what an asymmetric 8-bit encoding does: clipping, rounding, a zero point that is a whole number. Zero lies inside
    every range. Shape (R,).
    """
    scale = ((high - low) / _STEPS)[:, None]
    zero_point = np.rint(-low[:, None] / scale)
    integers = values / scale
    np.rint(integers, out=integers)
    np.clip(integers, -zero_point, _STEPS - zero_point, out=integers)
    integers *= scale
    integers -= values
    integers *= integers
    errors: Numbers = integers @ counts
    return errors


def entropy_range(histogram: Histogram, low: float, high: float) -> tuple[float, float]:
    """(low, high) with the least Kullback-Leibler divergence between the clipped histogram and its 8-bit version.

    Source: S. Migacz, "8-bit Inference with TensorRT", GTC 2017. As there, one threshold for the magnitudes is searched; a
    tensor of one sign has all 256 levels on its side, one of both signs 128.
    """
    magnitudes = _magnitudes(histogram)
    levels = 128 if low < 0.0 < high else 256
    if magnitudes.size <= levels:
        return low, high
    thresholds = np.linspace(levels, magnitudes.size, _THRESHOLDS).astype(np.int64)
    best = int(np.argmin([_divergence(magnitudes, int(threshold), levels) for threshold in thresholds]))
    limit = float(thresholds[best]) * histogram.width
    return max(low, -limit), min(high, limit)


def _least(error: Callable[[Numbers], Numbers], fractions: Numbers) -> float:
    """The fraction (at most 1) of the least error: the best of ``fractions``, then twice the best around it."""
    fractions = np.minimum(fractions, 1.0)
    for _ in range(3):
        best = int(np.argmin(error(fractions)))
        found = float(fractions[best])
        nearest = fractions[max(best - 1, 0)], fractions[min(best + 1, fractions.size - 1)]
        fractions = np.concatenate([[found], np.linspace(*nearest, 9)])
        fractions.sort()
    return found


_COARSE = np.geomspace(0.01, 1.0, 25)
_WIDE = np.linspace(0.5, 1.5, 11)
_NARROW = np.linspace(0.9, 1.1, 7)
_THRESHOLDS = 128


def _magnitudes(histogram: Histogram) -> Numbers:
    """Counts by distance from zero in bins. The bin next to zero, full of exact zeros after a Relu, repeats its neighbour."""
    steps = np.rint(histogram.edges[:-1] / histogram.width).astype(np.int64)
    distance = np.where(steps < 0, -steps - 1, steps)
    used = histogram.counts > 0
    magnitudes: Numbers = np.bincount(distance[used], weights=histogram.counts[used], minlength=2).astype(np.float64)
    magnitudes[0] = magnitudes[1]
    return magnitudes


def _divergence(magnitudes: Numbers, threshold: int, levels: int) -> float:
    """Kullback-Leibler divergence of the counts below ``threshold``, told apart only by ``levels`` groups, from all counts."""
    kept = magnitudes[:threshold]
    group = np.arange(threshold) * levels // threshold
    filled = np.bincount(group, weights=kept > 0, minlength=levels)
    mean = np.bincount(group, weights=kept, minlength=levels) / np.maximum(filled, 1)
    reference = kept.copy()
    reference[-1] += magnitudes[threshold:].sum()
    occurs = reference > 0
    if not occurs.any():
        return np.inf
    truth = reference[occurs]
    # Clipped values may land in a bin that held none: its share is tiny instead of zero, which would be infinitely wrong.
    model = np.where(kept > 0, mean[group], _TINY_COUNT)[occurs]
    return float((truth / truth.sum()) @ np.log((truth / truth.sum()) / (model / model.sum())))


_TINY_COUNT = 1e-4
