"""Which units go for a share of the multiply-accumulates, by the choice that files are pruned with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.prune.choice import Candidate, cutbacks
from edgekit_converters.prune.compensate import Compensation
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.dependencies import Dependencies, Space
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.moments import Gram, grams, run_size
from edgekit_converters.prune.order import by_second_order, readers_of
from edgekit_converters.prune.widths import Widths
from edgekit_converters.quantize.sequential_samples import Picked, spread

_MOST_JUDGED, _JUDGED = 64, 4
"""Samples on which every cut is tried and to which nothing is fitted: one of so many, and no more than that."""
_MULTIPLES = ((96, 16), (48, 4), (24, 2))
"""From how many channels on what stays is a multiple of how many. Finer than for files: small networks are trained on from here,
and what they lose they lose for the multiple's sake."""


def choose(
    hub: Hub, found: Dependencies, consumers: Sequence[Consumer], share: float, samples: Dataset, progress: Progress
) -> NDArray[np.bool_]:
    """Whether each unit stays when ``share`` of the multiply-accumulates is to go.

    Raises ConversionError when as many can't go.
    """
    rows = spread(len(samples), max(1, min(_MOST_JUDGED, len(samples) // _JUDGED)))
    fitted = Picked(samples, np.setdiff1d(np.arange(len(samples)), rows)) if len(samples) > 1 else samples
    known = grams(hub, consumers, fitted, progress)
    candidates = [_candidate(space, consumers, known) for space in found.spaces]
    network, judge = Compensation(hub, found, consumers, known), Judge(hub, Picked(samples, rows), run_size(hub))
    costs = costs_of(hub, found)
    whole = left = costs.macs(found.none_removed())
    progress.stage("choice")
    for cutback in cutbacks(found, candidates, costs, lambda stays: judge.quality(network.hub(stays))):
        progress.step()
        left = cutback.macs
        if left <= (1 - share) * whole:
            return cutback.stays
    raise ConversionError(
        f"{share:.0%} of the multiply-accumulates are to be removed, but no more than {1 - left / whole:.0%} can be"
    )


def _candidate(space: Space, consumers: Sequence[Consumer], known: dict[str, Gram]) -> Candidate:
    order = by_second_order(space, readers_of(space, consumers, known))
    multiple = next((size for least, size in _MULTIPLES if len(space.units) * space.width >= least), 1)
    step = max(1, multiple // space.width)
    return Candidate(space.name, order, Widths(step, min(step, len(order.units))), len(order.units))
