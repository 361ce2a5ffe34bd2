"""Quantiles of a sample with confidence intervals that assume no distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import MeasurementError


@dataclass(frozen=True, slots=True)
class Quantile:
    """An estimate, and the interval that covers the true quantile with at least the confidence asked for."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Quantile:
        return Quantile(self.value * factor, self.low * factor, self.high * factor)

    def inverse(self, numerator: float = 1.0) -> Quantile:
        """``numerator`` over it: a rate, of a time."""
        return Quantile(numerator / self.value, numerator / self.high, numerator / self.low)


def quantile(samples: ArrayLike, probability: float, confidence: float = 0.95) -> Quantile:
    """The quantile of independent ``samples`` with an interval between two of its order statistics.

    Of n samples the number below the true quantile is binomial(n, probability); the interval's ends are the ranks that this
    number passes with at most half of what ``confidence`` leaves on each side (David and Nagaraja, Order Statistics, 7.1).
    Raises MeasurementError when the sample is too small for an upper or a lower end.
    """
    ordered = np.sort(np.asarray(samples, np.float64))
    needed = runs_needed(probability, confidence)
    if len(ordered) < needed:
        raise MeasurementError(
            f"{len(ordered)} runs are too few for a p{probability * 100:g} with its {confidence:.0%} interval; "
            f"it needs {needed}. Measure longer, or ask for a lower percentile."
        )
    low, high = _ranks(len(ordered), probability, confidence)
    middle = math.ceil(probability * len(ordered))
    return Quantile(float(ordered[middle - 1]), float(ordered[low - 1]), float(ordered[high - 1]))


def runs_needed(probability: float, confidence: float = 0.95) -> int:
    """The smallest sample that can bound the quantile on both sides: its largest value lies above it with enough certainty."""
    tail = (1 - confidence) / 2
    return math.ceil(math.log(tail) / math.log(max(probability, 1 - probability)))


def _ranks(count: int, probability: float, confidence: float) -> tuple[int, int]:
    """Ranks from 1 of the interval's ends."""
    below = np.cumsum(binomial(count, probability))
    tail = (1 - confidence) / 2
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return max(low, 1), min(high, count)


def binomial(count: int, probability: float) -> NDArray[np.float64]:
    """Probabilities of 0 to ``count`` successes."""
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    successes = np.arange(count + 1)
    logs = log_factorials[count] - log_factorials - log_factorials[::-1]
    weights: NDArray[np.float64] = np.exp(
        logs + successes * math.log(probability) + (count - successes) * math.log1p(-probability)
    )
    return weights
