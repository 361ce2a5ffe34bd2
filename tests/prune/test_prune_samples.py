"""Which samples pruning fits weights to, and which judge."""

from __future__ import annotations

import numpy as np
from samples_in_memory import Samples

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.prune.samples import select


def network(numbers: int) -> Hub:
    """That computes so many for a sample."""
    graph = GraphBuilder()
    graph.output(graph.op("Relu", graph.input("x", "float32", ["N", numbers])), "y")
    return graph.build("test")


def numbered(count: int) -> Samples:
    return Samples(x=np.arange(count, dtype=np.float32)[:, None])


def rows(samples: Samples) -> set[int]:
    return {int(row) for batch in samples.batches(16) for row in batch.feeds["x"][:, 0]}


def test_every_sample_judges_once_and_no_weight_that_judges_it_was_fitted_to_it() -> None:
    folds = [*select(network(8), numbered(50)).folds()]
    assert sorted(row for fold in folds for row in rows(fold.judged)) == list(range(50))
    for fold in folds:
        assert not rows(fold.others) & rows(fold.judged)
        assert rows(fold.others) == set(range(50)) - rows(fold.fitted)


def test_samples_that_refitting_has_no_time_for_judge_all_the_same() -> None:
    selection = select(network(10_000_000), numbered(300))
    assert len(selection.taken) == 200
    assert len(selection.judged) == 300
    folds = [*selection.folds()]
    assert sum(len(fold.fitted) for fold in folds) == 200
    assert sum(len(fold.judged) for fold in folds) == 300


def test_four_samples_are_enough_for_every_part_to_have_one() -> None:
    assert [len(fold.judged) for fold in select(network(8), numbered(4)).folds()] == [1, 1, 1, 1]
