"""Observers: what calibration keeps of a tensor, in memory that does not grow with the number of samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DatasetError
from edgekit.recipe import Observer
from edgekit_converters.quantize.observers_choice import entropy_range, least_squares_range, percentile_range
from edgekit_converters.quantize.observers_histogram import Histogram

MOVING_AVERAGE_WEIGHT = 0.01
"""Smallest weight of a new sample. The first samples weigh as in a plain mean, so that none of them dominates."""

PERCENTILE = 99.99
"""Share of the values, in percent, that the percentile observer keeps inside its range; half of the rest is cut at either end."""

Choice = Callable[[Histogram, float, float], tuple[float, float]]
"""From a histogram and the extremes seen to a range."""


class RangeObserver(Protocol):
    """Sees a tensor batch by batch and chooses the range that an 8-bit encoding of it should cover."""

    def update(self, values: NDArray[Any]) -> None:
        """Take in one batch. Raises DatasetError when a value is NaN or infinite."""

    def range(self) -> tuple[float, float]:
        """The chosen (low, high). Raises DatasetError when nothing was seen."""

    @property
    def seen(self) -> tuple[float, float]:
        """Smallest and largest value so far. Raises DatasetError when nothing was seen."""


def make_observer(kind: Observer, tensor: str) -> RangeObserver:
    """A fresh observer; ``tensor`` is the name its errors give."""
    return _MAKERS[kind](tensor)


class MinMaxObserver:
    """Covers every value seen."""

    def __init__(self, tensor: str) -> None:
        self._extremes = _Extremes(tensor)

    def update(self, values: NDArray[Any]) -> None:
        self._extremes.add(values)

    def range(self) -> tuple[float, float]:
        return self._extremes.seen

    @property
    def seen(self) -> tuple[float, float]:
        return self._extremes.seen


class MovingAverageObserver:
    """Covers the mean of the samples' own extremes; recent samples weigh more. The first axis is the sample."""

    def __init__(self, tensor: str) -> None:
        self._extremes = _Extremes(tensor)
        self._count = 0
        self._low = self._high = 0.0

    def update(self, values: NDArray[Any]) -> None:
        if self._extremes.add(values) is None:
            return
        rows = values.reshape(values.shape[0] if values.ndim else 1, -1)
        for low, high in zip(rows.min(axis=1).tolist(), rows.max(axis=1).tolist(), strict=True):
            self._count += 1
            weight = max(1.0 / self._count, MOVING_AVERAGE_WEIGHT)
            self._low += weight * (low - self._low)
            self._high += weight * (high - self._high)

    def range(self) -> tuple[float, float]:
        low, high = self._extremes.seen
        return max(low, self._low), min(high, self._high)

    @property
    def seen(self) -> tuple[float, float]:
        return self._extremes.seen


class HistogramObserver:
    """Keeps a histogram and leaves the choice of the range to ``choose(histogram, low, high)``."""

    def __init__(self, tensor: str, choose: Choice) -> None:
        self._extremes = _Extremes(tensor)
        self._choose = choose
        self.histogram = Histogram()

    def update(self, values: NDArray[Any]) -> None:
        extremes = self._extremes.add(values)
        if extremes is not None:
            self.histogram.add(_sampled(values), *extremes)

    def range(self) -> tuple[float, float]:
        low, high = self._extremes.seen
        chosen_low, chosen_high = self._choose(self.histogram, low, high)
        # A bin may reach beyond what was seen.
        return min(max(low, chosen_low), high), max(min(high, chosen_high), low)

    @property
    def seen(self) -> tuple[float, float]:
        return self._extremes.seen


class _Extremes:
    """Smallest and largest value of a tensor, both checked to be finite."""

    def __init__(self, tensor: str) -> None:
        self._tensor = tensor
        self._low, self._high = np.inf, -np.inf

    def add(self, values: NDArray[Any]) -> tuple[float, float] | None:
        """Extremes of this batch, or None when it is empty."""
        if values.size == 0:
            return None
        # A NaN anywhere makes both extremes NaN, an infinity is an extreme: two fast passes check every value.
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise DatasetError(
                f"calibration saw NaN or infinite values in tensor {self._tensor!r}. Every sample must be finite and "
                f"scaled as the float model expects it; run the float model on the samples to find the bad one."
            )
        self._low, self._high = min(self._low, low), max(self._high, high)
        return low, high

    @property
    def seen(self) -> tuple[float, float]:
        if self._low > self._high:
            raise DatasetError(
                f"calibration saw no value of tensor {self._tensor!r}: there are no samples, or they leave it empty. "
                f"Give at least one sample, better 100 or more."
            )
        return self._low, self._high


_SAMPLED_VALUES = 1 << 16


def _sampled(values: NDArray[Any]) -> NDArray[np.float32]:
    """At least `_SAMPLED_VALUES` of the values, evenly spread, flat. The extremes are taken from all.

    The step divides no axis, so that no channel, row or column is left out whole.
    """
    flat = values.reshape(-1).astype(np.float32, copy=False)
    step = flat.size // _SAMPLED_VALUES
    while step > 1 and any(np.gcd(step, length) > 1 for length in values.shape):
        step -= 1
    return flat[:: max(step, 1)]


def _percentile(histogram: Histogram, low: float, high: float) -> tuple[float, float]:
    return percentile_range(histogram, PERCENTILE)


_MAKERS: dict[Observer, Callable[[str], RangeObserver]] = {
    Observer.MIN_MAX: MinMaxObserver,
    Observer.MOVING_AVERAGE: MovingAverageObserver,
    Observer.PERCENTILE: lambda tensor: HistogramObserver(tensor, _percentile),
    Observer.ENTROPY: lambda tensor: HistogramObserver(tensor, entropy_range),
    Observer.MEAN_SQUARED_ERROR: lambda tensor: HistogramObserver(tensor, least_squares_range),
}
