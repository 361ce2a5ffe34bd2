"""LoadGen's rule, against figures of LoadGen itself and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.early_stopping import early_stopping, overlatency_allowed, queries_needed


@pytest.mark.parametrize(("percentile", "queries"), [(0.5, 11), (0.9, 64), (0.99, 662)])
def test_queries_needed_are_loadgens(percentile: float, queries: int) -> None:
    """LoadGen prints "Need to process at least 64 (662) queries for early stopping" for p90 (p99)."""
    assert queries_needed(percentile) == queries


def test_none_may_be_slower_below_the_closed_form() -> None:
    """With t = 0 LoadGen begins at h = ceil(ln(1 - c) / ln p): 44 for p90."""
    first = math.ceil(math.log(0.01) / math.log(0.9))
    assert first == 44
    assert [overlatency_allowed(count, 0.9) for count in (first - 1, first)] == [-1, 0]


def test_ten_thousand_queries_let_76_be_discarded_at_p99() -> None:
    found = early_stopping(range(10_000), 0.99)
    assert (found.discarded, found.latency_ns) == (76, 9923)


def test_one_query_too_few_gives_no_estimate() -> None:
    assert early_stopping(range(63), 0.9).latency_ns is None
    assert early_stopping(range(64), 0.9).latency_ns == 63


def test_the_estimate_is_below_the_true_percentile_at_most_once_in_a_hundred() -> None:
    draws = np.random.default_rng(3).exponential(size=(1500, 200))
    truth = -math.log(0.1)
    low = sum((early_stopping(row, 0.9).latency_ns or 0) < truth for row in draws)
    assert low / len(draws) <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / len(draws))
