"""In which order the units of a space go: the least important first, by one of four measures.

The second-order score is that of optimal brain surgeon (Hassibi & Stork, "Second order derivatives for network pruning", 1992)
for whole columns, with the layer's Gram matrix for the Hessian: what is lost when a column goes and the others make up for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.dependencies import Space, Units
from edgekit_converters.prune.moments import Gram, GramKey, gram_key
from edgekit_converters.prune.refit import ridge_for
from edgekit_converters.prune.worths import Worths

RECURRENCE = 30.0
"""What the next step of a recurrent layer counts against each layer that reads its states: an error in it comes back at every
step. Measured on an LSTM and a GRU over 61 steps; from 10 on the order hardly changes."""


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """A consumer of a space, or one of its groups: its weights (results, columns), for a variance of the consumer's output of 1,
    and its columns' covariance."""

    weights: NDArray[np.float64]
    covariance: NDArray[np.float64]
    units: Units
    ridge: float


def readers_of(
    space: Space,
    consumers: Sequence[Consumer],
    grams: Mapping[GramKey, Gram],
    worths: Worths,
) -> list[Reader]:
    """Each consumer of the space by groups, scaled so that the variance of its outputs sums to 1; of own states to `RECURRENCE`.

    ``worths``: what a squared error of each row matters, by recurrent layer.
    """
    found = []
    for consumer in consumers:
        if not np.isin(consumer.units, space.units).any():
            continue
        gram, weights = grams[gram_key(consumer)], consumer.weights().astype(np.float64)
        through_time = consumer.own_state and consumer.name in worths
        if consumer.name in worths:
            weights *= np.sqrt(worths[consumer.name])[:, np.newaxis]
        covariance = gram.covariance()
        variance = float(((weights @ covariance) * weights).sum())
        if variance > 0:
            ridge = ridge_for(len(consumer.units), gram.count)
            weights *= np.sqrt((RECURRENCE if through_time else 1.0) / variance)
            found += [Reader(*each, consumer.units, ridge) for each in zip(weights, covariance, strict=True)]
    return found


def by_magnitude(space: Space, readers: Sequence[Reader]) -> Units:
    """The squared norm of the weights that read a unit."""
    return _sorted(space, _scores(space, readers, lambda reader: (reader.weights**2).sum(axis=0)))


def by_activation(space: Space, readers: Sequence[Reader]) -> Units:
    """The variance of a unit times the squared norm of the weights that read it."""
    return _sorted(space, _scores(space, readers, lambda r: (r.weights**2).sum(axis=0) * r.covariance.diagonal()))


def by_changes(space: Space, consumers: Sequence[Consumer], changes: Mapping[str, NDArray[np.float32]]) -> Units:
    """The mean over the samples of the squared change when all readers lose a unit, to first order."""
    totals: NDArray[np.float32] | float = 0.0
    for consumer in consumers:
        if consumer.name in changes and np.isin(consumer.channel_units, space.units).any():
            own = changes[consumer.name]
            summed = np.zeros((len(own), int(space.units.max()) + 2), np.float32)
            for column, unit in enumerate(consumer.channel_units):
                if unit < summed.shape[1]:
                    summed[:, unit] += own[:, column]
            totals = totals + summed[:, space.units]
    scores = np.square(np.broadcast_to(totals, np.shape(totals) or (1, len(space.units)))).mean(axis=0)
    return _sorted(space, np.asarray(scores, np.float64))


def _scores(
    space: Space, readers: Sequence[Reader], of_columns: Callable[[Reader], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The score of each unit: the sum over the columns that hold it, in all readers."""
    scores = np.zeros(space.units.max() + 2)
    for reader in readers:
        np.add.at(scores, reader.units, of_columns(reader))
    found: NDArray[np.float64] = scores[space.units]
    return found


def _sorted(space: Space, scores: NDArray[np.float64]) -> Units:
    return space.units[np.argsort(scores, kind="stable")]


def by_second_order(space: Space, readers: Sequence[Reader]) -> Units:
    """One unit after the other, each time the one whose loss the others make up for best; the weights are refitted meanwhile."""
    left = list(range(len(space.units)))
    working = [_Working(reader, space.units) for reader in readers]
    gone: list[int] = []
    at_once = max(1, len(space.units) // _ROUNDS)
    while left:
        scores = sum((each.scores(left) for each in working), np.zeros(len(left)))
        units = [left[place] for place in np.argsort(scores, kind="stable")[:at_once]]
        for each in working:
            each.remove(units)
        gone += units
        left = [unit for unit in left if unit not in set(units)]
    return space.units[gone]


_ROUNDS = 96


class _Working:
    """A reader while units go from it."""

    def __init__(self, reader: Reader, units: NDArray[np.int64]) -> None:
        damped = reader.covariance + reader.ridge * reader.covariance.diagonal().mean() * np.eye(len(reader.covariance))
        self._inverse = np.linalg.inv(damped)
        self._weights = reader.weights.copy()
        self._columns = [np.flatnonzero(reader.units == unit) for unit in units]

    def scores(self, units: Sequence[int]) -> NDArray[np.float64]:
        """What is lost when a unit goes."""
        if all(len(self._columns[unit]) == 1 for unit in units):
            columns = np.concatenate([self._columns[unit] for unit in units])
            norms = (self._weights[:, columns] ** 2).sum(axis=0)
            single: NDArray[np.float64] = norms / self._inverse.diagonal()[columns]
            return single
        return np.array([self._score(self._columns[unit]) for unit in units])

    def _score(self, columns: NDArray[np.int64]) -> float:
        if not len(columns):
            return 0.0
        weights = self._weights[:, columns]
        return float(np.einsum("ij,ij->", weights @ np.linalg.inv(self._inverse[np.ix_(columns, columns)]), weights))

    def remove(self, units: Sequence[int]) -> None:
        """Take the columns of these units out; the other weights make up for them."""
        columns = np.concatenate([self._columns[unit] for unit in units])
        if not len(columns):
            return
        block = np.linalg.inv(self._inverse[np.ix_(columns, columns)])
        shift = block @ self._inverse[columns]
        self._weights -= self._weights[:, columns] @ shift
        self._inverse -= self._inverse[:, columns] @ shift
        self._weights[:, columns] = 0
        self._inverse[columns] = 0
        self._inverse[:, columns] = 0
        self._inverse[columns, columns] = 1
