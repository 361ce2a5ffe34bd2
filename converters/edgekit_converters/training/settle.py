"""New statistics of a batch normalization that leave its answers as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Normalization:
    """``factor * (x - mean) / sqrt(variance + epsilon) + offset``, each (channels,)."""

    factor: Floats
    offset: Floats
    mean: Floats
    variance: Floats
    epsilon: float

    def with_statistics(self, mean: Floats, variance: Floats) -> Normalization:
        """The same function with another mean and variance."""
        slope = self.factor / np.sqrt(self.variance + self.epsilon)
        return Normalization(
            slope * np.sqrt(variance + self.epsilon),
            self.offset + slope * (mean - self.mean),
            mean,
            variance,
            self.epsilon,
        )


class Statistics:
    """Mean and variance of each channel, gathered batch by batch."""

    def __init__(self) -> None:
        self._count = 0
        self._sum: Floats = np.zeros(())
        self._squares: Floats = np.zeros(())

    def add(self, values: NDArray[np.floating], axis: int) -> None:
        rows = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis]).astype(np.float64)
        self._count += len(rows)
        self._sum = self._sum + rows.sum(axis=0)
        self._squares = self._squares + (rows**2).sum(axis=0)

    @property
    def mean(self) -> Floats:
        return np.asarray(self._sum / self._count)

    @property
    def variance(self) -> Floats:
        return np.maximum(np.asarray(self._squares / self._count) - self.mean**2, 0)
