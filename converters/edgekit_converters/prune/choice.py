"""`choose`: which units go for a goal, taken a few at a time where they cost the outputs least for what they save.

Every cut is tried on the network as pruned so far and its error measured at the model's outputs. Errors of cuts grow with each other,
so that an old figure is taken for a lower bound, and measured again only when it is the best (lazy greedy choice).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.prune.costs import Costs
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.order import Order
from edgekit_converters.prune.widths import Widths

TOLERANCE = 1.15
"""A cut is taken when its fresh figure exceeds the next best's old one by no more than this factor."""

Stays = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A space with the order in which its units go, and how many at a time."""

    name: str
    order: Order
    widths: Widths
    most: int
    """Units that may go."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutback:
    """What stays after a cut, with the loss of the outputs and the multiply-accumulates left."""

    stays: Stays
    loss: float
    macs: float
    removed: tuple[int, ...] = ()
    """Units gone, by candidate."""


def cutbacks(
    found: Dependencies,
    candidates: Sequence[Candidate],
    costs: Costs,
    network: Callable[[Stays], Hub],
    loss: Callable[[Hub], float],
) -> Iterator[Cutback]:
    """One cut after the other, the first one the whole network, for as long as something is left to remove."""
    chooser = _Chooser(found, candidates, costs, lambda stays: loss(network(stays)))
    while chooser.current is not None:
        yield chooser.current
        chooser.advance()


@dataclass(order=True, slots=True)
class _Offer:
    """The price of a candidate's next cut: loss for each multiply-accumulate saved, as it was in ``round``."""

    price: float
    index: int
    cutback: Cutback = field(compare=False)
    round: int = field(compare=False)


class _Chooser:
    def __init__(
        self, found: Dependencies, candidates: Sequence[Candidate], costs: Costs, loss: Callable[[Stays], float]
    ) -> None:
        self._found, self._candidates, self._costs, self._loss = found, candidates, costs, loss
        whole = found.none_removed()
        self.current: Cutback | None = Cutback(whole, 0.0, costs.macs(whole), (0,) * len(candidates))
        self._round = 0
        self._offers = [offer for index in range(len(candidates)) if (offer := self._offer(index)) is not None]
        heapq.heapify(self._offers)

    def advance(self) -> None:
        """Take the cheapest cut."""
        while self._offers:
            best = heapq.heappop(self._offers)
            if best.round != self._round:
                fresh = self._offer(best.index)
                if fresh is None:
                    continue
                if self._offers and fresh.price > TOLERANCE * self._offers[0].price:
                    heapq.heappush(self._offers, fresh)
                    continue
                best = fresh
            self._take(best)
            return
        self.current = None

    def _take(self, best: _Offer) -> None:
        self.current = best.cutback
        self._round += 1
        following = self._estimate(best)
        if following is not None:
            heapq.heappush(self._offers, following)

    def _estimate(self, taken: _Offer) -> _Offer | None:
        """The next cut of the same space, at the price of the one before: to be measured when its turn comes."""
        assert self.current is not None
        if self._following(taken.index) is None:
            return None
        return _Offer(taken.price, taken.index, self.current, self._round - 1)

    def _following(self, index: int) -> tuple[Stays, int] | None:
        assert self.current is not None
        candidate, gone = self._candidates[index], self.current.removed[index]
        after = candidate.widths.next_removal(len(candidate.order.units), gone)
        if after is None or after > candidate.most:
            return None
        stays = self.current.stays.copy()
        stays[candidate.order.units[gone:after]] = False
        return stays, after

    def _offer(self, index: int) -> _Offer | None:
        """The candidate's next cut, measured."""
        current = self.current
        assert current is not None
        following = self._following(index)
        if following is None:
            return None
        stays, after = following
        removed = (*current.removed[:index], after, *current.removed[index + 1 :])
        cutback = Cutback(stays, self._loss(stays), self._costs.macs(stays), removed)
        saved = max(current.macs - cutback.macs, 1.0)
        return _Offer(max(cutback.loss - current.loss, _LEAST) / saved, index, cutback, self._round)


_LEAST = 1e-7
"""Of loss: cuts that cost less are chosen by what they save."""
