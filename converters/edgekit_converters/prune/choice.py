"""`cutbacks`: which units go, a few at a time where they cost the outputs least for what they save.

Every cut is tried on the network as pruned so far and its error measured at the model's outputs. Errors of cuts grow with each
other, so that an old figure is taken for a lower bound, and measured again only when it is the best (lazy greedy choice).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from edgekit_converters.prune.costs import Costs
from edgekit_converters.prune.dependencies import Dependencies, Stays, Units
from edgekit_converters.prune.loss import Quality
from edgekit_converters.prune.widths import Widths

TOLERANCE = 1.15
"""A cut is taken when its fresh figure exceeds the next best's old one by no more than this factor."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A space: its units, the first to go first, how many go at a time, and how many at most.

    ``first``: it goes before anything is chosen, whatever it costs.
    """

    name: str
    units: Units
    widths: Widths
    most: int
    first: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Cutback:
    """What stays after some cuts, how good that is, the multiply-accumulates left, and the units gone by candidate."""

    stays: Stays
    quality: Quality
    macs: float
    removed: tuple[int, ...]


def cutbacks(
    found: Dependencies,
    candidates: Sequence[Candidate],
    costs: Costs,
    quality: Callable[[Stays], Quality],
    spent: Callable[[Stays], float],
    goal: float = 0.0,
) -> Iterator[Cutback]:
    """One cut after the other, the first state the whole network, for as long as something is left to remove.

    ``spent``: what is to become less, of which a cut should save much. ``goal``: the part of the multiply-accumulates that may
    be left; what a cut saves beyond it counts for nothing.
    """
    whole = found.none_removed()
    start = Cutback(whole, quality(whole), costs.macs(whole), (0,) * len(candidates))
    yield start
    begun = _without_first(start, candidates, costs, quality)
    if begun is not start:
        yield begun
    chooser = _Chooser(candidates, costs, quality, spent, begun, goal * start.macs)
    while chooser.advance():
        yield chooser.current


def _without_first(
    start: Cutback, candidates: Sequence[Candidate], costs: Costs, quality: Callable[[Stays], Quality]
) -> Cutback:
    """The state to choose from: what is to go first has gone."""
    if not any(candidate.first for candidate in candidates):
        return start
    stays = start.stays.copy()
    for candidate in candidates:
        stays[candidate.units if candidate.first else []] = False
    removed = tuple(len(candidate.units) if candidate.first else 0 for candidate in candidates)
    return Cutback(stays, quality(stays), costs.macs(stays), removed)


@dataclass(order=True, slots=True)
class _Offer:
    """The price of a candidate's next cut, loss for what it saves. ``cutback`` None: an estimate from before."""

    price: float
    index: int
    cutback: Cutback | None = field(compare=False)


class _Chooser:
    def __init__(
        self,
        candidates: Sequence[Candidate],
        costs: Costs,
        quality: Callable[[Stays], Quality],
        spent: Callable[[Stays], float],
        start: Cutback,
        goal_macs: float,
    ) -> None:
        self._candidates, self._costs, self._quality, self._goal_macs = candidates, costs, quality, goal_macs
        self._spent, self._least_saving = spent, _LEAST_SAVING * spent(start.stays)
        self.current = start
        offers = map(self._measured, range(len(candidates)))
        self._offers = [offer for offer in offers if offer is not None]
        heapq.heapify(self._offers)

    def advance(self) -> bool:
        """Take the cheapest cut. False when there is none."""
        while self._offers:
            best = heapq.heappop(self._offers)
            fresh = self._measured(best.index) if best.cutback is None else best
            if fresh is None or fresh.cutback is None:
                continue
            if self._offers and fresh.price > TOLERANCE * self._offers[0].price:
                heapq.heappush(self._offers, fresh)
                continue
            self._take(fresh, fresh.cutback)
            return True
        return False

    def _take(self, taken: _Offer, cutback: Cutback) -> None:
        """What was measured of the others becomes an estimate; so does the price of the same space's next cut."""
        self.current = cutback
        self._offers = [_Offer(offer.price, offer.index, None) for offer in (*self._offers, taken)]
        heapq.heapify(self._offers)

    def _measured(self, index: int) -> _Offer | None:
        """The candidate's next cut; None where no more may go, and where all of it went with a block."""
        candidate, current = self._candidates[index], self.current
        gone = current.removed[index]
        after = candidate.widths.next_removal(len(candidate.units), gone)
        if after is None or after > candidate.most or not current.stays[candidate.units[gone:]].any():
            return None
        stays = current.stays.copy()
        stays[candidate.units[gone:after]] = False
        removed = (*current.removed[:index], after, *current.removed[index + 1 :])
        cutback = Cutback(stays, self._quality(stays), self._costs.macs(stays), removed)
        loss = max(cutback.quality.loss - current.quality.loss, _LEAST)
        return _Offer(loss / max(self._saved(current, cutback), self._least_saving), index, cutback)

    def _saved(self, current: Cutback, after: Cutback) -> float:
        needed = current.macs - max(after.macs, self._goal_macs)
        counts = needed / (current.macs - after.macs) if after.macs < current.macs else 1.0
        return counts * (self._spent(current.stays) - self._spent(after.stays))


_LEAST = 1e-7
"""Of loss: cuts that cost less are chosen by what they save."""

_LEAST_SAVING = 1e-7
"""Of what is spent: by no cut becomes it more."""
