"""Which units go: in each space the least important first, between spaces those that cost least for what they save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.costs import Costs, costs_of
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.moments import grams
from edgekit_converters.prune.order import Order, by_second_order, readers_of

_MULTIPLES = ((128, 16), (48, 8), (16, 4), (0, 1))
"""From how many units on how many go together: the runtimes like even numbers of channels."""
_LEAST = 0.25
"""This part of a space stays."""


@dataclass(slots=True)
class _Plan:
    """A space on its way: the first ``gone`` of its order are chosen, ``step`` go next."""

    order: Order
    step: int
    gone: int = 0

    def next(self) -> NDArray[np.int64] | None:
        end = self.gone + self.step
        return None if end > (1 - _LEAST) * len(self.order.units) else self.order.units[self.gone : end]

    def loss(self) -> float:
        return float(self.order.errors[self.gone + self.step] - self.order.errors[self.gone])


def choose(
    hub: Hub, found: Dependencies, consumers: Sequence[Consumer], share: float, samples: Dataset, progress: Progress
) -> NDArray[np.bool_]:
    """Whether each unit stays when ``share`` of the multiply-accumulates is to go. Raises ConversionError when as many can't."""
    gathered = grams(hub, consumers, samples, progress)
    plans = []
    for space in found.spaces:
        order = by_second_order(space, readers_of(space, consumers, gathered))
        step = next(step for least, step in _MULTIPLES if len(space.units) >= least)
        plans.append(_Plan(order, step))
    costs = costs_of(hub, found)
    stays = found.none_removed()
    whole = costs.macs(stays)
    while costs.macs(stays) > (1 - share) * whole:
        priced = [(_price(plan, costs, stays), index) for index, plan in enumerate(plans) if plan.next() is not None]
        if not priced:
            raise ConversionError(
                f"{share:.0%} of the multiply-accumulates can't be removed from this network: {1 - costs.macs(stays) / whole:.0%} "
                "can, when a quarter of each layer stays"
            )
        plan = plans[min(priced)[1]]
        units = plan.next()
        assert units is not None
        stays[units] = False
        plan.gone += plan.step
    return stays


def _price(plan: _Plan, costs: Costs, stays: NDArray[np.bool_]) -> float:
    """What is lost for each multiply-accumulate saved."""
    units = plan.next()
    assert units is not None
    then = stays.copy()
    then[units] = False
    return plan.loss() / max(1.0, costs.macs(stays) - costs.macs(then))
