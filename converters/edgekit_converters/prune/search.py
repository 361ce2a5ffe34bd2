"""`Search`: cut after cut up to a goal, no further than a limit allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgekit.figures import PruneStep
from edgekit.pruning import Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.prune.choice import Cutback
from edgekit_converters.prune.dependencies import Stays

Measure = Callable[[Hub], float]
"""A figure of the files that a hub becomes: milliseconds of the slowest, bytes of the largest."""

STRETCH = 0.05
"""Part of the multiply-accumulates between two states whose files are measured."""

BEYOND, LEAST_BEYOND, MOST_BEYOND = 0.15, 3, 10
"""Part of the multiply-accumulates that is tried beyond the last state within a limit, and in how many cuts: states within it may
follow, repaired ones above all, and the report tells what further cuts would cost."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The state to make, what it costs, the states up to it and some beyond; ``stopped``: why it is not the goal."""

    cutback: Cutback
    step: PruneStep
    steps: tuple[PruneStep, ...]
    stopped: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """``network``: a hub from what stays. ``measure`` is None for a goal that is counted. ``judged_by``: the metric of the limit,
    "" for decisions that change. ``repaired``: a state with what it costs after repair, which takes long and is usually less."""

    pruning: Pruning
    limit_drop: float | None
    network: Callable[[Stays], Hub]
    measure: Measure | None
    judged_by: str = ""
    repaired: Callable[[Cutback], Cutback] | None = None

    def run(self, cutbacks: Iterator[Cutback]) -> Found:
        """The first state that reaches the goal, or the last one within the limit."""
        states = [next(cutbacks)]
        within = checked = 0
        for cutback in cutbacks:
            states.append(cutback)
            if self._exceeds(cutback):
                if self._is_far(states, within):
                    return self._limited(states, within)
                continue  # one sample that is wrong now may be right again after the next cut
            within = len(states) - 1
            if self.pruning.units is not None:
                continue  # as many as may go
            if self.measure is None:
                if self._is_goal(states, within):
                    return _at(states, within)
            elif states[checked].macs - cutback.macs >= STRETCH * states[0].macs:
                if self._reached(cutback):
                    return _at(states, self._first(states, checked))
                checked = within
        return self._exhausted(states, within, checked)

    def _exhausted(self, states: list[Cutback], within: int, checked: int) -> Found:
        """No cut is left."""
        if within < len(states) - 1:
            return self._limited(states, within)
        if self.measure is not None and within and self._reached(states[within]):
            return _at(states, self._first(states, checked))
        if self.pruning.units is not None:
            return _at(states, within)
        return _at(states, within, f"no more can be removed for the goal of {self.pruning.goal}")

    def _exceeds(self, cutback: Cutback) -> bool:
        """As far as the samples can tell: a drop counts with its margin."""
        quality = cutback.quality
        return self.limit_drop is not None and quality.points > self.limit_drop

    def _is_far(self, states: list[Cutback], within: int) -> bool:
        """Whether so much went since the last state within the limit that none will follow."""
        gone, cuts = states[within].macs - states[-1].macs, len(states) - 1 - within
        return (gone >= BEYOND * states[0].macs and cuts >= LEAST_BEYOND) or cuts > MOST_BEYOND

    def _limited(self, states: list[Cutback], within: int) -> Found:
        """The last state within the limit. With a goal that is measured, it may be an earlier one that reaches it."""
        if self.repaired is not None and self.measure is None:
            states, within = self._last_repaired(states, within, self.repaired)
            if self._is_goal(states, within):
                return _at(states, within, told=len(states))
        if within == len(states) - 1:
            return _at(states, within, "no further cut was tried")
        lost = step_of(states[within + 1], states[0].macs)
        stopped = (
            f"the next cut, to {lost.macs_left:.1%} of the multiply-accumulates, would mean {lost.cost(self.judged_by)}; "
            f"the limit is {self.limit_drop:g} points"
        )
        if self.measure is not None and within and self._reached(states[within]):
            return _at(states, self._first(states[: within + 1], 0))
        return _at(states, within, stopped, len(states))

    def _last_repaired(
        self, states: list[Cutback], within: int, repaired: Callable[[Cutback], Cutback]
    ) -> tuple[list[Cutback], int]:
        """By bisection, from the last state within the limit as it is to the last that is so repaired; no further than the goal.
        Those that were tried have their costs repaired."""
        states = states.copy()
        goal = next((place for place in range(len(states)) if self._is_goal(states, place)), None)
        low, high = 0, len(states) if goal is None else goal + 1
        place = within
        while high - low > 1:
            if low < place < high:
                states[place] = repaired(states[place])
                low, high = (low, place) if self._exceeds(states[place]) else (place, high)
            place = (low + high) // 2
        return states, low

    def _is_goal(self, states: list[Cutback], place: int) -> bool:
        """Whether so many multiply-accumulates went as was asked for: with no goal, what rules remove."""
        if self.pruning.units is not None:
            return False  # as many as may go
        return place > 0 and states[place].macs <= (1 - (self.pruning.macs or 0.0)) * max(states[0].macs, 1.0)

    def _reached(self, cutback: Cutback) -> bool:
        assert self.measure is not None
        goal = self.pruning.latency_ms if self.pruning.latency_ms is not None else self.pruning.size_bytes
        assert goal is not None
        return self.measure(self.network(cutback.stays)) <= goal

    def _first(self, states: list[Cutback], low: int) -> int:
        """By bisection, the first state within the limit that reaches the goal. The last does, that at ``low`` does not."""
        high = len(states) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._reached(states[middle]) else (middle, high)
        return next(place for place in range(high, len(states)) if not self._exceeds(states[place]))


def step_of(cutback: Cutback, whole: float) -> PruneStep:
    """The figures of a state for the report."""
    quality = cutback.quality
    return PruneStep(
        cutback.macs / max(whole, 1.0), quality.sqnr_db, quality.drop_points, quality.margin_points, quality.repaired
    )


def _at(states: list[Cutback], place: int, stopped: str = "", told: int = 0) -> Found:
    """``told``: of so many states, one more than up to ``place`` at least, the report tells."""
    steps = tuple(step_of(state, states[0].macs) for state in states[: max(told, place + 2)])
    return Found(states[place], steps[place], steps, stopped)
