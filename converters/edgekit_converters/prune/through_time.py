"""`refit_through_time`: a recurrent layer that lost units, refitted on the states that it then has.

Its states depend on the weights that are sought. So they are taken as they were, weights are refitted, the layer is run, and the
same again on the states that it gave, together with those before (Ross, Gordon & Bagnell, "A reduction of imitation learning to
no-regret online learning", 2011). Gates are matched where they matter: errors count by the squared slope behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.prune.gates import Floats, Layer, sigmoid, sums
from edgekit_converters.prune.moments import COLUMNS
from edgekit_converters.prune.refit import ridge_for

PASSES = 3
"""How often the layer is run on its new weights; the best counts."""

MEMORY = 0.5
"""What the moments of earlier passes count in the next."""

MOST_WORK = 2e11
"""Multiply-accumulates of a pass up to which every row of a gate has moments of its own, by what errors of that row matter;
beyond, the rows of a gate share them."""

MOST_NUMBERS = 2e7
"""Numbers that these moments may hold: 160 MB."""

LEAST_WORTH = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """As `Layer`'s, of the rows, inputs and units that stay."""

    inputs: Floats
    state: Floats
    biases: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Batches (steps, batch, ...): inputs before, the states that the whole layer made of them, and the inputs now."""

    before: Sequence[Floats]
    states: Sequence[Floats]
    now: Sequence[Floats]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Rows (among those that stay) that are refitted on the same columns; with ``inputs`` on those of the inputs too."""

    rows: slice
    inputs: bool
    reset: bool = False


def refit_through_time(
    layer: Layer,
    units: NDArray[np.int64],
    inputs: NDArray[np.int64],
    sequences: Sequences,
    run: Callable[[Weights], Sequence[Floats]],
) -> Weights:
    """Weights for the ``units`` and ``inputs`` that stay. ``run``: the states that the smaller layer gives with them."""
    rows = layer.rows(units)
    start = Weights(layer.inputs[np.ix_(rows, inputs)], layer.state[np.ix_(rows, units)], layer.biases[:, rows])
    wanted = [states[..., units] for states in sequences.states]
    fit = _Fit(layer, rows, sequences, start)
    states: Sequence[Floats] = wanted
    best, least = start, np.inf
    for _ in range(PASSES):
        weights = fit.refitted(states)
        states = run(weights)
        error = sum(float(np.square(a - b, dtype=np.float64).sum()) for a, b in zip(states, wanted, strict=True))
        if error < least:
            best, least = weights, error
    return best


class _Fit:
    """The moments of all passes so far."""

    def __init__(self, layer: Layer, rows: NDArray[np.int64], sequences: Sequences, start: Weights) -> None:
        self._layer, self._rows, self._sequences, self._start = layer, rows, sequences, start
        self._parts = _parts(layer, len(rows) // layer.gates)
        self._known: list[_Moments | None] = [None] * len(self._parts)

    def refitted(self, states: Sequence[Floats]) -> Weights:
        made = Weights(self._start.inputs.copy(), self._start.state.copy(), self._start.biases.copy())
        for index, part in enumerate(self._parts):
            width = self._start.state.shape[1] + (self._start.inputs.shape[1] if part.inputs else 0)
            moments = _Moments(part.rows.stop - part.rows.start, width, self._layer.gates, self._columns)
            for columns, total, worth in self._batches(part, states, made):
                moments.add(columns, total, worth)
            moments.remember(self._known[index])
            self._known[index] = moments
            _enter(made, part, moments.solve(self._of(part, self._start)))
        return made

    @property
    def _columns(self) -> int:
        return min(COLUMNS, sum(len(x) * int(x.shape[1]) for x in self._sequences.now))

    def _of(self, part: _Part, weights: Weights) -> Floats:
        state = weights.state[part.rows]
        return np.concatenate([weights.inputs[part.rows], state], axis=1) if part.inputs else state

    def _batches(self, part: _Part, states: Sequence[Floats], made: Weights) -> Iterator[tuple[Floats, Floats, Floats]]:
        """(columns, rows of the part, their worth), each with a step of a sample in every row."""
        most = max(1, COLUMNS // len(states))
        own = self._rows[part.rows]
        before = zip(self._sequences.before, self._sequences.states, strict=True)
        for (inputs, whole), now, current in zip(before, self._sequences.now, states, strict=True):
            found = sums(self._layer, inputs, whole)
            columns = self._read(part, now, self._layer.before(current), made)
            step = max(1, len(now) * now.shape[1] // most)
            yield (
                _flat(columns)[::step],
                _flat(found.total[..., own])[::step],
                _flat(found.worth[..., own])[::step],
            )

    def _read(self, part: _Part, inputs: Floats, previous: Floats, made: Weights) -> Floats:
        if part.reset:
            rows = slice(self._start.state.shape[1], 2 * self._start.state.shape[1])
            bias = made.biases[:, rows].sum(axis=0)
            previous = previous * sigmoid(inputs @ made.inputs[rows].T + previous @ made.state[rows].T + bias)
        return np.concatenate([inputs, previous], axis=-1) if part.inputs else previous


def _parts(layer: Layer, units: int) -> list[_Part]:
    rows = layer.gates * units
    if layer.kind != "GRU":
        return [_Part(slice(0, rows), inputs=True)]
    after = layer.reset_after
    return [_Part(slice(0, 2 * units), inputs=True), _Part(slice(2 * units, rows), inputs=not after, reset=not after)]


def _enter(made: Weights, part: _Part, solved: Floats) -> None:
    """``solved``: (rows, columns and the constant). The other bias of rows that read the inputs too goes to 0."""
    width = made.state.shape[1]
    made.state[part.rows] = solved[:, -1 - width : -1]
    made.biases[1, part.rows] = solved[:, -1]
    if part.inputs:
        made.inputs[part.rows] = solved[:, : -1 - width]
        made.biases[0, part.rows] = 0


class _Moments:
    """Second moments of the columns and a constant, for each row by its own worth, or for all rows of a gate by their mean."""

    def __init__(self, rows: int, width: int, gates: int, columns: int) -> None:
        numbers = rows * (width + 1.0) ** 2
        alone = numbers * columns <= MOST_WORK and numbers <= MOST_NUMBERS
        self._blocks = np.array_split(np.arange(rows), rows if alone else gates)
        self._grams = np.zeros((len(self._blocks), width + 1, width + 1))
        self._cross = np.zeros((rows, width + 1))
        self._count = 0

    def add(self, columns: Floats, total: Floats, worth: Floats) -> None:
        read = np.concatenate([columns, np.ones((len(columns), 1), np.float32)], axis=1)
        self._count += len(read)
        for gram, block in zip(self._grams, self._blocks, strict=True):
            weighted = read * (worth[:, block].mean(axis=1, keepdims=True) + LEAST_WORTH)
            gram += weighted.T @ read
            self._cross[block] += total[:, block].T @ weighted

    def remember(self, earlier: _Moments | None) -> None:
        if earlier is not None:
            self._grams += MEMORY * earlier._grams
            self._cross += MEMORY * earlier._cross

    def solve(self, original: Floats) -> Floats:
        """(rows, columns and the constant): ridge regression toward ``original``, its constant free."""
        solved = np.empty_like(self._cross)
        for gram, block in zip(self._grams, self._blocks, strict=True):
            mean = gram[-1, :-1] / gram[-1, -1]
            inner = gram[:-1, :-1] / gram[-1, -1] - np.outer(mean, mean)
            level = self._cross[block, -1:] / gram[-1, -1]
            right = self._cross[block, :-1] / gram[-1, -1] - level * mean
            pull = ridge_for(len(mean), self._count) * float(inner.diagonal().mean()) or 1.0
            damped = inner + pull * np.eye(len(inner))
            found = np.linalg.solve(damped, (right + pull * original[block]).T).T
            solved[block] = np.concatenate([found, level - found @ mean[:, None]], axis=1)
        return solved.astype(np.float32)


def _flat(array: Floats) -> Floats:
    return array.reshape(-1, array.shape[-1])
