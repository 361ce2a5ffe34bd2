"""Which units go for a share of the multiply-accumulates, by the choice that files are pruned with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.prune.choice import Candidate, Cutback, cutbacks
from edgekit_converters.prune.compensate import Compensation
from edgekit_converters.prune.consumers import Consumer, read_spaces
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.moments import grams, run_size
from edgekit_converters.prune.order import by_second_order, readers_of
from edgekit_converters.prune.widths import Multiples, widths_of
from edgekit_converters.prune.worths import worths_of

_MULTIPLES: tuple[Multiples, ...] = (((96, 16), (48, 4), (24, 2)), ((96, 16), (48, 8), (24, 4), (0, 2)))
"""Finer than for files, which small networks pay dearly for; the greedy choice is tried with each, since a coarser cut at times
sees what a finer one does not."""


def choose(
    hub: Hub,
    found: Dependencies,
    consumers: Sequence[Consumer],
    refitted: Sequence[Consumer],
    share: float,
    samples: Dataset,
    progress: Progress,
) -> NDArray[np.bool_]:
    """Whether each unit stays when ``share`` of the multiply-accumulates is to go. ``refitted``: consumers that make up for it.

    Raises ConversionError when as many can't go.
    """
    known = grams(hub, consumers, samples, progress)
    worths = worths_of(hub, consumers, samples)
    ordered = [
        (space, by_second_order(space, readers_of(space, consumers, known, worths)))
        for space in read_spaces(found.spaces, consumers)
    ]
    network, judge = Compensation(hub, found, refitted, known), Judge(hub, samples, run_size(hub))
    costs = costs_of(hub, found)
    whole = least = costs.macs(found.none_removed())
    goal = (1 - share) * whole
    progress.stage("choice")
    made: list[Cutback] = []
    for multiples in _MULTIPLES:
        candidates = [
            Candidate(space.name, order, widths_of(space, multiples), len(space.units)) for space, order in ordered
        ]
        for cutback in cutbacks(found, candidates, costs, lambda stays: judge.quality(network.hub(stays)), costs.macs):
            progress.step()
            least = min(least, cutback.macs)
            if cutback.macs <= goal:
                made.append(cutback)
                break
    if not made:
        raise ConversionError(
            f"{share:.0%} of the multiply-accumulates are to be removed, but no more than {1 - least / whole:.0%} of this "
            "network's can go: its layers keep at least one step of their channels, and some keep all. Ask for less."
        )
    return min(made, key=lambda cutback: cutback.quality.loss).stays
