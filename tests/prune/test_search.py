"""How far the search goes: to the goal, or to the last state that a limit allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from edgekit.pruning import Pruning
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.prune.choice import Cutback
from edgekit_converters.prune.loss import Quality
from edgekit_converters.prune.search import Found, Search


def found(
    drops: list[float],
    pruning: Pruning,
    limit: float | None,
    sizes: list[float] | None = None,
    repaired: list[float] | None = None,
) -> Found:
    """States that lose 5 % of the multiply-accumulates and one unit each, with these changed decisions of 100."""
    tried: list[int] = []

    def states() -> Iterator[Cutback]:
        for place, drop in enumerate(drops):
            tried.append(place)
            stays = np.arange(len(drops)) >= place
            yield Cutback(stays, Quality(0.01 * place, drop), 100.0 - 5 * place, (place,))

    empty = GraphBuilder()
    empty.output(empty.op("Relu", empty.input("x", "float32", (1, 1))), "y")
    hub = empty.build("test")
    places: dict[int, int] = {}

    def network(stays: np.ndarray):
        places[id(hub)] = int(np.flatnonzero(stays)[0])
        return hub

    measure = None if sizes is None else lambda each: sizes[places[id(each)]]

    def after_repair(state: Cutback) -> Cutback:
        (place,) = state.removed
        return replace(state, quality=Quality(0.01 * place, repaired[place], repaired=True))

    again = None if repaired is None else after_repair
    return Search(pruning, limit, network, measure, repaired=again).run(states())


def place_of(result: Found) -> int:
    return round((1 - result.step.macs_left) / 0.05)


def test_a_state_that_exceeds_the_limit_does_not_end_the_search_when_the_next_does_not() -> None:
    result = found([0, 1, 6, 2, 3, 8, 9, 9, 9], Pruning(macs=0.9), 5.0)
    assert place_of(result) == 4
    assert "75.0% of the multiply-accumulates" in result.stopped
    assert "the limit is 5 points" in result.stopped
    assert len(result.steps) == 8, "three beyond it, 15 % of the multiply-accumulates, are told too"


def test_a_goal_is_not_reached_by_a_state_that_exceeds_the_limit() -> None:
    assert place_of(found([0, 1, 6, 2, 3], Pruning(macs=0.1), 5.0)) == 3


def test_of_the_states_that_reach_a_size_the_first_within_the_limit_is_taken() -> None:
    result = found([0, 1, 2, 7, 4], Pruning(size_bytes=80), 5.0, sizes=[100, 95, 90, 80, 75])
    assert place_of(result) == 4


@pytest.mark.parametrize("drops", [[0, 9, 9, 9], [0, 9, 9, 9, 9, 9, 9]])
def test_the_whole_network_is_what_stays_when_no_cut_is_within_the_limit(drops: list[float]) -> None:
    assert found(drops, Pruning(macs=0.9), 5.0).cutback.removed == (0,)


def test_without_a_limit_cuts_that_run_out_are_told() -> None:
    result = found([0, 50, 60], Pruning(macs=0.9), None)
    assert place_of(result) == 2
    assert "no more can be removed" in result.stopped


def test_states_are_within_the_limit_as_repaired() -> None:
    result = found([0, 1, 6, 9, 12, 14], Pruning(macs=0.9), 5.0, repaired=[0, 1, 3, 4, 7, 8])
    assert place_of(result) == 3
    assert result.step.drop_points == 4
    assert "7.0 of 100 decisions changed, repaired; the limit is 5 points" in result.stopped


def test_a_state_that_is_not_within_the_limit_as_repaired_is_not_taken() -> None:
    result = found([0, 1, 2, 3, 9, 9, 9, 9], Pruning(macs=0.9), 5.0, repaired=[0, 1, 2, 6, 9, 9, 9, 9])
    assert place_of(result) == 2


def test_repaired_states_go_no_further_than_the_goal() -> None:
    result = found([0, 1, 6, 7, 8, 9], Pruning(macs=0.1), 5.0, repaired=[0, 1, 2, 3, 4, 5])
    assert place_of(result) == 2
    assert result.stopped == ""
