"""Batches of a fixed size: a sample that fills up the last one does not count several times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from silenced import silence

from edgekit.protocols import Batch
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.trace import trace
from edgekit_converters.quantize.calibrate_feeds import feeds_of, full_feeds

FIXED = 4


class Samples:
    """Of (count, 3) float32. ``whole``: each is all that the model takes at once, (FIXED, 3)."""

    def __init__(self, count: int, whole: bool = False) -> None:
        shape = (count, FIXED, 3) if whole else (count, 3)
        self._x: NDArray[np.float32] = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        self._whole = whole

    def __len__(self) -> int:
        return len(self._x)

    def batches(self, size: int) -> Iterator[Batch]:
        if self._whole:
            yield from (Batch({"x": sample}, whole=True) for sample in self._x)
            return
        for start in range(0, len(self), size):
            yield Batch({"x": self._x[start : start + size]})


def dense() -> Hub:
    """Two dense layers that want FIXED rows."""
    graph, random = GraphBuilder(), np.random.default_rng(1)
    x = graph.input("x", "float32", [FIXED, 3])
    for name, shape in (("hidden", (3, 8)), ("head", (8, 2))):
        weight = graph.constant(random.normal(size=shape).astype(np.float32))
        x = graph.op("Gemm", x, weight, graph.constant(np.zeros(shape[1], np.float32)), name=name)
    graph.output(x, "y")
    return graph.build("test")


def counts(samples: Samples) -> list[int]:
    return [count for _, count in full_feeds(dense(), samples, FIXED)]


def test_a_last_batch_that_was_filled_up_is_left_out() -> None:
    assert [count for _, count in feeds_of(dense(), Samples(9), FIXED)] == [4, 4, 1]
    assert counts(Samples(9)) == [4, 4]
    assert counts(Samples(8)) == [4, 4]


def test_it_stays_where_there_is_no_other() -> None:
    ((feeds, count),) = full_feeds(dense(), Samples(3), FIXED)
    assert count == 3
    assert feeds["x"].shape == (FIXED, 3)


def test_whole_samples_are_all_there_even_where_their_first_axis_is_as_long_as_the_batch() -> None:
    assert counts(Samples(5, whole=True)) == [1] * 5


def test_a_pruned_network_is_judged_by_each_sample_once() -> None:
    hub = dense()
    found = trace(hub)
    smaller = silence(hub, found, found.without(found.spaces[0].units[:4]))
    one, other = (Judge(hub, Samples(count), FIXED).quality(smaller) for count in (FIXED, FIXED + 1))
    assert one == other
