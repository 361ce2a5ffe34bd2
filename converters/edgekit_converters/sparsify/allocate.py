"""`shares`: how many zeros each matrix gets, so that all together are the share wanted and the model's error grows least."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEVELS = (0.25, 0.5, 0.7, 0.85, 0.95)
"""Shares of zeros at which a matrix's error is measured."""

STEP = 0.02
"""Between them, errors grow by equal factors: a line in their logarithm, cut into steps of this share."""


@dataclass(frozen=True, slots=True)
class Curve:
    """``weights``: how many the matrix has. ``errors``: of the model's outputs, by share of zeros in this matrix alone, the least
    share first."""

    weights: int
    errors: Mapping[float, float]


def shares(curves: Sequence[Curve], wanted: float, in_all: int) -> list[float]:
    """Shares of zeros, one a curve, that leave ``wanted`` x ``in_all`` zeros, or as many as the curves reach.

    The errors are taken to add up. On the convex hulls of the curves, the cheapest steps are taken until there are enough.
    """
    steps = sorted(
        (step for number, curve in enumerate(curves) for step in _steps(number, curve)), key=lambda step: step.price
    )
    chosen = [0.0] * len(curves)
    missing = wanted * in_all
    for step in steps:
        count = (step.end - step.start) * curves[step.curve].weights
        part = min(1.0, missing / count)
        chosen[step.curve] = step.start + part * (step.end - step.start)
        missing -= part * count
        if missing <= 0:
            break
    return chosen


@dataclass(frozen=True, slots=True)
class _Step:
    curve: int
    start: float
    end: float
    price: float
    """Error a zero."""


def _steps(number: int, curve: Curve) -> Iterator[_Step]:
    """The edges of the lower convex hull, along which each is dearer than the one before."""
    hull: list[tuple[float, float]] = []
    for point in _points(curve):
        while len(hull) > 1 and _price(hull[-2], point) <= _price(hull[-2], hull[-1]):
            hull.pop()
        hull.append(point)
    for one, other in itertools.pairwise(hull):
        yield _Step(number, one[0], other[0], _price(one, other) / max(1, curve.weights))


def _points(curve: Curve) -> list[tuple[float, float]]:
    """(share, error) from no zeros at all on."""
    known, errors = np.array(list(curve.errors)), np.maximum(np.array(list(curve.errors.values())), _SMALLEST)
    between = np.arange(known[0], known[-1] + STEP / 2, STEP)
    logarithms = np.interp(between, known, np.log(errors))
    return [(0.0, 0.0), *zip(between.tolist(), np.exp(logarithms).tolist(), strict=True)]


def _price(one: tuple[float, float], other: tuple[float, float]) -> float:
    return (other[1] - one[1]) / (other[0] - one[0])


_SMALLEST = 1e-30
