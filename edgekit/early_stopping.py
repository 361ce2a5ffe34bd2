"""How many queries a percentile needs: the early-stopping rule of MLPerf's LoadGen.

Of n independent queries, t may lie above the reported latency if it is then still certain (confidence c) that at least a share p
of all queries lies below it: P(binomial(n, 1 - p) <= t) <= 1 - c. LoadGen (mlcommons/inference, loadgen/early_stopping.cc and
results.cc) writes the same with h = n - t queries below, as the regularized incomplete beta function I_p(h, t + 1) <= 1 - c, with
c = .99, no tolerance, and t >= 1; the latency that it reports is the t-th largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.quantiles import binomial

CONFIDENCE = 0.99
"""LoadGen's own; it is no setting there either."""


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """LoadGen's estimate of a percentile: never below the sample's own. ``discarded``: slower queries that it leaves out.

    ``latency_ns`` is None where there were fewer queries than the ``needed`` ones.
    """

    percentile: float
    latency_ns: float | None
    discarded: int
    queries: int
    needed: int


def early_stopping(samples_ns: Sequence[float], percentile: float) -> EarlyStopping:
    """The estimate for ``percentile`` (a fraction) of single-stream queries."""
    count, needed = len(samples_ns), queries_needed(percentile)
    if count < needed:
        return EarlyStopping(percentile, None, 0, count, needed)
    above = overlatency_allowed(count, percentile)
    return EarlyStopping(percentile, float(sorted(samples_ns)[count - above]), above - 1, count, needed)


def queries_needed(percentile: float) -> int:
    """The fewest queries that allow an estimate: those of which one may be slower (64 for p90, 662 for p99)."""
    fewest, most = 1, 2
    while overlatency_allowed(most, percentile) < 1:
        fewest, most = most, 2 * most
    while fewest < most:
        middle = (fewest + most) // 2
        if overlatency_allowed(middle, percentile) < 1:
            fewest = middle + 1
        else:
            most = middle
    return most


def overlatency_allowed(count: int, percentile: float) -> int:
    """The largest t with P(binomial(count, 1 - percentile) <= t) <= 1 - c; -1 where even none is too many."""
    at_most = np.cumsum(binomial(count, 1 - percentile))
    return int(np.searchsorted(at_most, 1 - CONFIDENCE, side="right")) - 1
