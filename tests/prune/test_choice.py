"""What is cut next, where the loss is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.prune.choice import Candidate, Cutback, cutbacks
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.loss import Quality
from edgekit_converters.prune.trace import trace
from edgekit_converters.prune.widths import Widths


def cuts(goal: float) -> list[Cutback]:
    """Of two hidden layers of 16 units: the first loses all it is worth with its first unit, the second by and by."""
    graph, random = GraphBuilder(), np.random.default_rng(1)
    value = graph.input("x", "float32", ["N", 8])
    for given, made in ((8, 16), (16, 8), (8, 16), (16, 8)):
        weights = random.standard_normal((given, made)).astype(np.float32)
        value = graph.op("Relu", graph.op("Gemm", value, graph.constant(weights)))
    graph.output(value, "y")
    hub = graph.build("test")
    found = trace(hub)
    spaces = [space for space in found.spaces if len(space.units) == 16]
    assert len(spaces) == 2

    def quality(stays: NDArray[np.bool_]) -> Quality:
        gone = [int((~stays[space.units]).sum()) for space in spaces]
        return Quality(0.5 * (gone[0] > 0) + 0.1 * gone[1], 0.0)

    candidates = [Candidate(space.name, space.units, Widths(2, 2), 16) for space in spaces]
    return list(cutbacks(found, candidates, costs_of(hub, found), quality, goal))


def test_a_layer_that_is_cheap_only_as_a_whole_goes_at_once() -> None:
    removed = [state.removed for state in cuts(goal=0.3)]
    assert removed[0] == (0, 0)
    assert (14, 0) in removed
    assert not any(0 < first < 14 for first, _ in removed)


def test_what_a_leap_saves_beyond_the_goal_does_not_count() -> None:
    assert cuts(goal=0.97)[1].removed == (0, 2)
