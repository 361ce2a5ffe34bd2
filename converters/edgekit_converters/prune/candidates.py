"""`candidates_of`: spaces whose units may go, in the order of the importance asked for; `spent_of`: what is to become less."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgekit.protocols import Dataset, Progress
from edgekit.pruning import Channels, Importance, Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.prune.changes import changes
from edgekit_converters.prune.choice import Candidate
from edgekit_converters.prune.consumers import Consumer, read_spaces
from edgekit_converters.prune.costs import Costs
from edgekit_converters.prune.dependencies import Dependencies, Role, Space, Stays, Units
from edgekit_converters.prune.kernel_time import FileTimes
from edgekit_converters.prune.moments import Gram, GramKey
from edgekit_converters.prune.order import by_activation, by_changes, by_magnitude, by_second_order, readers_of
from edgekit_converters.prune.widths import DENSE, DEPTHWISE, FINE, Widths, widths_of
from edgekit_converters.prune.worths import worths_of
from edgekit_converters.quantize.scheme import name_of

TIME_COUNTS = 2.0
"""Of what a cut saves, the part of the time over that of the multiply-accumulates, for a goal in multiply-accumulates."""

_ORDERS = {
    Importance.MAGNITUDE: by_magnitude,
    Importance.ACTIVATION: by_activation,
    Importance.SECOND_ORDER: by_second_order,
}


def candidates_of(
    hub: Hub,
    found: Dependencies,
    consumers: Sequence[Consumer],
    order: Callable[[Space], Units],
    pruning: Pruning,
) -> list[Candidate]:
    """Spaces with units that may go, in the order of the importance asked for."""
    candidates, depthwise = [], _depthwise(hub, found)
    for space in read_spaces(found.spaces, consumers):
        fast = DEPTHWISE if np.isin(space.units, depthwise).any() else DENSE
        widths = widths_of(space, FINE if pruning.channels is Channels.ANY else fast)
        most = _most(pruning, space, widths)
        if most:
            candidates.append(Candidate(space.name, order(space), widths, most))
    return candidates


def _most(pruning: Pruning, space: Space, widths: Widths) -> int:
    """Units that may go. With a goal in units, those of the first cut that reaches it, unless a rule allows fewer."""
    total = len(space.units)
    allowed = min(pruning.most_of(maker, total) for maker in space.makers)
    if pruning.units is None:
        return allowed
    gone = 0
    while gone < pruning.units * total:
        after = widths.next_removal(total, gone)
        if after is None:
            break
        gone = after
    return min(gone, allowed)


def _depthwise(hub: Hub, found: Dependencies) -> Units:
    """Channels that depthwise convolutions work on."""
    convolutions = {name_of(node) for node in hub.model.graph if node.op_type == "Conv"}
    passed = [cut.units for cut in found.cuts if cut.role is Role.FOLLOWS and cut.node in convolutions]
    return np.unique(np.concatenate(passed)) if passed else np.array([], np.int64)


def order_of(
    hub: Hub,
    consumers: Sequence[Consumer],
    known: Mapping[GramKey, Gram],
    samples: Dataset,
    importance: Importance,
    progress: Progress,
) -> Callable[[Space], Units]:
    """The units of a space, the first to go first."""
    if importance is Importance.TAYLOR:
        found = changes(hub, consumers, samples, progress)
        return lambda space: by_changes(space, consumers, found)
    worths = worths_of(hub, consumers, samples)
    return lambda space: _ORDERS[importance](space, readers_of(space, consumers, known, worths))


def spent_of(pruning: Pruning, costs: Costs, kernels: FileTimes, whole: Stays) -> Callable[[Stays], float]:
    """What the goal asks for: parameters for a size, time for a latency, and multiply-accumulates that also take time."""
    if pruning.size_bytes is not None:
        return costs.parameters
    if pruning.latency_ms is not None:
        return kernels.left
    if pruning.channels is Channels.ANY:
        return costs.macs
    macs = max(1.0, costs.macs(whole))
    return lambda stays: costs.macs(stays) / macs + TIME_COUNTS * kernels.left(stays)
