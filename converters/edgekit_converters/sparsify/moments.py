"""`Moments`: second moments of what a matrix reads, in the dense network and in the one that is becoming sparse, side by side.

They are gathered in two halves of the samples, so that what one half suggests can be judged by the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.sparsify.solve import Floats, Problem

Sums = NDArray[np.float64]

HALVES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """``count``: positions. Means (groups, columns) in the dense and in the sparse network; ``own``: second moments of the
    sparse one's columns, ``cross``: of the dense one's with the sparse one's, both (groups, columns, columns), less the means'
    part where the layer has a bias that takes it up."""

    count: int
    dense: Sums
    sparse: Sums
    own: Sums
    cross: Sums

    def problem(self, weights: Floats, shrink: float) -> Problem:
        """Weights for the sparse network's inputs that give about what ``weights`` gave in the dense one, and their metric.

        They go `_MADE_UP` of the way from the trained weights to those that would give exactly that: all of the way, they
        follow the calibration samples.

        ``shrink``, 0..1: how far products of different columns are distrusted; at 1 columns count as independent, and the
        weights stay as they were trained. Source: O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional
        covariance matrices", 2004, with the diagonal as the target.
        """
        diagonal = np.einsum("gcc->gc", self.own)
        floor = np.maximum(_RIDGE * diagonal.mean(axis=1, keepdims=True), _SMALLEST)
        trusted = np.zeros_like(self.own)
        np.einsum("gcc->gc", trusted)[:] = shrink * diagonal + floor
        own, cross = trusted + (1 - shrink) * self.own, trusted + (1 - shrink) * self.cross
        wanted = np.linalg.solve(own, (weights @ cross).transpose(0, 2, 1)).transpose(0, 2, 1)
        wanted = weights + _MADE_UP * (wanted - weights)
        return Problem(own.astype(np.float32), np.ascontiguousarray(wanted, np.float32))

    def shift(self, before: Floats, now: Floats) -> NDArray[np.float64]:
        """What each row (groups, rows) lacks in the mean with the weights ``now`` on the sparse network's inputs."""
        wanted: Sums = np.einsum("grc,gc->gr", before, self.dense, dtype=np.float64)
        found: Sums = np.einsum("grc,gc->gr", now, self.sparse, dtype=np.float64)
        return wanted - found


class Gathering:
    """Moments in the making. ``centred``: the layer has a bias."""

    def __init__(self, groups: int, columns: int, *, centred: bool) -> None:
        self._centred = centred
        self._counts = [0] * HALVES
        self._means = np.zeros((HALVES, 2, groups, columns))
        self._products = np.zeros((HALVES, 2, groups, columns, columns))
        self._waiting: list[list[tuple[Floats, Floats]]] = [[] for _ in range(HALVES)]

    def add(self, half: int, dense: Floats, sparse: Floats) -> None:
        """Columns (groups, positions, columns) of the same positions."""
        self._waiting[half].append((dense, sparse))
        if sum(pair[0].size for pair in self._waiting[half]) > _NUMBERS_AT_ONCE:
            self._take(half)

    def _take(self, half: int) -> None:
        """Many positions at once: products of matrices pay when these are large."""
        pairs, self._waiting[half] = self._waiting[half], []
        if not pairs:
            return
        dense = np.concatenate([pair[0] for pair in pairs], axis=1)
        same = all(one is other for one, other in pairs)
        sparse = dense if same else np.concatenate([pair[1] for pair in pairs], axis=1)
        self._counts[half] += dense.shape[1]
        self._means[half, 0] += dense.sum(axis=1, dtype=np.float64)
        self._means[half, 1] += sparse.sum(axis=1, dtype=np.float64)
        own = sparse.transpose(0, 2, 1) @ sparse
        self._products[half, 0] += own
        self._products[half, 1] += own if same else dense.transpose(0, 2, 1) @ sparse

    def half(self, number: int) -> Moments:
        self._take(number)
        return self._finished(self._counts[number], self._means[number], self._products[number])

    def whole(self) -> Moments:
        for number in range(HALVES):
            self._take(number)
        return self._finished(sum(self._counts), self._means.sum(axis=0), self._products.sum(axis=0))

    def _finished(self, count: int, sums: Sums, products: Sums) -> Moments:
        dense, sparse = sums / max(1, count)
        own, cross = products / max(1, count)
        if self._centred:
            own -= sparse[:, :, None] * sparse[:, None, :]
            cross -= dense[:, :, None] * sparse[:, None, :]
        return Moments(count, dense, sparse, own, cross)


_NUMBERS_AT_ONCE = 1 << 22
_MADE_UP = 0.65
_RIDGE = 0.002
_SMALLEST = 1e-8
