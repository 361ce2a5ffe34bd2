"""`Moments`: second moments of what a matrix reads, in the dense network and in the one that is becoming sparse, side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.sparsify.solve import Floats, Problem

RIDGE = 0.02
"""Of the mean diagonal. It pulls toward the trained weights, which know more than the samples."""


class Moments:
    """Of pairs of columns, (groups, positions, columns) each, at the same positions. ``centred``: the layer has a bias that takes
    up the means."""

    def __init__(self, groups: int, columns: int, *, centred: bool) -> None:
        self.centred = centred
        self._count = 0
        self._dense, self._sparse = np.zeros((groups, columns)), np.zeros((groups, columns))
        self._own, self._cross = np.zeros((groups, columns, columns)), np.zeros((groups, columns, columns))

    def add(self, dense: Floats, sparse: Floats) -> None:
        self._count += dense.shape[1]
        self._dense += dense.sum(axis=1, dtype=np.float64)
        self._sparse += sparse.sum(axis=1, dtype=np.float64)
        self._own += sparse.transpose(0, 2, 1) @ sparse
        self._cross += self._own_of_same(dense, sparse)

    @staticmethod
    def _own_of_same(dense: Floats, sparse: Floats) -> Floats:
        return dense.transpose(0, 2, 1) @ sparse

    def problem(self, weights: Floats) -> Problem:
        """Weights for the sparse network's inputs that give what ``weights`` gave in the dense one, and their metric."""
        own, cross = self._own / self._count, self._cross / self._count
        if self.centred:
            means = self.means()
            own -= means[1][:, :, None] * means[1][:, None, :]
            cross -= means[0][:, :, None] * means[1][:, None, :]
        diagonal = np.einsum("gcc->gc", own)
        pull = np.maximum(RIDGE * diagonal.mean(axis=1), _SMALLEST_PULL)[:, None, None]
        own += pull * np.eye(own.shape[1])
        wanted = np.linalg.solve(own, (weights @ cross + pull * weights).transpose(0, 2, 1)).transpose(0, 2, 1)
        return Problem(own.astype(np.float32), np.ascontiguousarray(wanted, np.float32))

    def shift(self, before: Floats, now: Floats) -> NDArray[np.float64]:
        """What each row (groups, rows) lacks in the mean with the weights ``now`` on the sparse network's inputs."""
        dense, sparse = self.means()
        wanted = np.einsum("grc,gc->gr", before, dense, dtype=np.float64)
        return wanted - np.einsum("grc,gc->gr", now, sparse, dtype=np.float64)

    def means(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(groups, columns): of the dense network's inputs, of the sparse one's."""
        return self._dense / self._count, self._sparse / self._count


_SMALLEST_PULL = 1e-8
