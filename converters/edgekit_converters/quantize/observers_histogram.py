"""`Histogram`: counts in a fixed number of bins over a range that grows and never loses a count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 4096
"""Between 2,048 and 4,096 are in use: eight or more for each of the 256 levels."""

_SMALLEST_EXPONENT = -100


class Histogram:
    """Equal bins, ``width = 2 ** exponent``, whose edges are whole multiples of the width; zero is always an edge.

    When a value falls outside, the width doubles as often as needed and neighbours are added together. Since edges stay
    edges, the result depends only on the values, not on the order or batches in which they came.
    """

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(BINS, np.int64)
        self._exponent = _SMALLEST_EXPONENT
        self._start = 0
        self._low = self._high = 0.0

    @property
    def width(self) -> float:
        return math.ldexp(1.0, self._exponent)

    @property
    def edges(self) -> NDArray[np.float64]:
        """The BINS + 1 bounds of the bins."""
        bounds: NDArray[np.float64] = np.arange(self._start, self._start + BINS + 1).astype(np.float64) * self.width
        return bounds

    def add(self, values: NDArray[np.float32], low: float, high: float) -> None:
        """Count ``values`` (flat), all of which lie in ``low..high``."""
        self._cover(min(low, self._low), max(high, self._high))
        # A product with a power of two is exact; the subtraction may round a value up to the next edge, hence one bin more.
        scaled = values * np.float32(math.ldexp(1.0, -self._exponent))
        scaled -= np.float32(self._start)
        found: NDArray[Any] = np.bincount(scaled.astype(np.int32), minlength=BINS + 1)
        self.counts += found[:BINS]
        self.counts[-1] += found[BINS]

    def _cover(self, low: float, high: float) -> None:
        """Widen the bins until ``low..high``, which includes zero, fits."""
        self._low, self._high = low, high
        exponent = self._exponent
        while math.floor(math.ldexp(high, -exponent)) - math.floor(math.ldexp(low, -exponent)) >= BINS:
            exponent += 1
        start = math.floor(math.ldexp(low, -exponent))
        if (exponent, start) != (self._exponent, self._start):
            self._move(exponent, start)

    def _move(self, exponent: int, start: int) -> None:
        target = ((self._start + np.arange(BINS)) >> (exponent - self._exponent)) - start
        used = self.counts > 0
        moved = np.zeros(BINS, np.int64)
        np.add.at(moved, target[used], self.counts[used])
        self.counts, self._exponent, self._start = moved, exponent, start
