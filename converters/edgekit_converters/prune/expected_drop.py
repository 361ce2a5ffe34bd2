"""`expected_drop`: by how much fewer decisions are right after a cut, from how close they were and how large its errors are.

A decision is right while its margin, the score of what is right less the best other one, is above zero. Counting decisions that
turn wrong tells 0 of 50 and 1 of 50 and nothing between, though the margins say more. So each sample's margin is paired with the
errors that the cut makes in the margins of the samples most like it: the expected drop is the share of pairs that fall below
zero, more than before. That is a two-sample U-statistic with weights; its standard error adds what the samples' margins and what
their errors leave open, as for the area under a ROC curve (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988, 837-845).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALIKE, FEWEST_ALIKE = 8, 16
"""The part of the samples, those nearest by margin, whose errors are taken for a sample's (one of so many), and how many at
least: larger margins have larger errors."""


@dataclass(frozen=True, slots=True)
class Drop:
    """In points. ``margin``: the standard error, or the weight of one sample, where that is more."""

    points: float
    margin: float


def expected_drop(before: Floats, after: Floats, samples: int) -> Drop:
    """From margins (N,) before and after a cut, of ``samples`` samples: n of them don't show what happens to one of n."""
    order = np.argsort(before, kind="stable")
    margins, errors = before[order], (after - before)[order]
    count, size = len(margins), min(len(margins), max(FEWEST_ALIKE, len(margins) // ALIKE))
    starts = np.clip(np.arange(count) - size // 2, 0, count - size)
    places = starts[:, None] + np.arange(size)
    right = margins[:, None] + errors[places] > 0
    shares = right.mean(axis=1)
    drops = (margins > 0) - shares
    of_errors = np.bincount(places.ravel(), ((right - shares[:, None]) / size).ravel(), count)
    error = math.sqrt(float(drops.var() + np.square(of_errors).mean()) / count)
    return Drop(100.0 * float(drops.mean()), 100.0 * max(error, 1 / samples))


def margins(scores: NDArray[np.float32], right: NDArray[np.int64]) -> Floats:
    """Of scores (N, classes): of the class that is right less that of the best other one."""
    others = scores.astype(np.float64)
    rows = np.arange(len(right))
    own = others[rows, right]
    others[rows, right] = -np.inf
    found: Floats = own - others.max(axis=1)
    return found
