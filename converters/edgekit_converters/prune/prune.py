"""`prune`: a smaller hub from a trained one, its weights refitted, and the figures of what that costs."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.errors import ConversionError, RecipeError, UsageError
from edgekit.figures import PrunedLayer, PruneFigures
from edgekit.protocols import Dataset, Progress
from edgekit.pruning import Channels, Importance, Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.prune.block_choice import block_candidates, removable, removed_blocks
from edgekit_converters.prune.blocks import with_blocks
from edgekit_converters.prune.branches import Branch
from edgekit_converters.prune.changes import changes
from edgekit_converters.prune.choice import Candidate, cutbacks
from edgekit_converters.prune.compensate import Compensation
from edgekit_converters.prune.consumers import Consumer, consumers_of, read_spaces
from edgekit_converters.prune.costs import Costs, costs_of
from edgekit_converters.prune.cross_fitted import CrossFitted
from edgekit_converters.prune.dependencies import Dependencies, Role, Space, Stays, Units
from edgekit_converters.prune.every_step import with_every_step, without_unread_steps
from edgekit_converters.prune.kernel_time import FileTimes, file_times
from edgekit_converters.prune.loss import Judge, Task
from edgekit_converters.prune.moments import Gram, GramKey, grams, run_size
from edgekit_converters.prune.order import by_activation, by_changes, by_magnitude, by_second_order, readers_of
from edgekit_converters.prune.refusals import Grounds, refuse_collapse, refuse_nothing
from edgekit_converters.prune.removal import remove
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.samples import select
from edgekit_converters.prune.search import Found, Measure, Search
from edgekit_converters.prune.split_sizes import with_split_sizes
from edgekit_converters.prune.summands import without_summands
from edgekit_converters.prune.trace import trace
from edgekit_converters.prune.widths import DENSE, DEPTHWISE, FINE, Widths, widths_of
from edgekit_converters.prune.worths import worths_of
from edgekit_converters.quantize.rule_scopes import require_matching
from edgekit_converters.quantize.scheme import name_of

TIME_COUNTS = 2.0
"""Of what a cut saves, the part of the time over that of the multiply-accumulates, for a goal in multiply-accumulates."""

_ORDERS = {
    Importance.MAGNITUDE: by_magnitude,
    Importance.ACTIVATION: by_activation,
    Importance.SECOND_ORDER: by_second_order,
}


@dataclass(frozen=True, slots=True)
class Pruned:
    """The smaller hub and its figures."""

    hub: Hub
    figures: PruneFigures


def prune(
    hub: Hub,
    pruning: Pruning,
    limit_drop: float | None,
    samples: Dataset | None,
    measure: Measure | None,
    progress: Progress,
    task: Task | None = None,
) -> Pruned:
    """Remove what costs the outputs least until the goal is reached, or the next cut would exceed ``limit_drop`` points.

    ``measure`` is needed for a latency or a size, ``task`` for a limit on what labels say. Raises UsageError without samples,
    RecipeError where a rule matches no layer, ConversionError where nothing can be removed or the result breaks down and
    ``force`` is not set.
    """
    selection = select(hub, samples)
    hub = with_split_sizes(with_every_step(hub))
    found = trace(hub)
    branches = removable(hub, pruning)
    _require_layers(hub, found, pruning, branches)
    fitted, held = selection.fitted, selection.held_out
    found = with_blocks(hub, found, branches, fitted)
    consumers = consumers_of(hub, found)
    costs = costs_of(hub, found)
    known = grams(hub, consumers, fitted, progress)
    order = _order(hub, consumers, known, fitted, pruning.importance, progress)
    spaces = _candidates(hub, found, consumers, order, pruning)
    candidates = [*spaces, *block_candidates(found, pruning)]
    network = Compensation(hub, found, consumers, known)
    judge = Judge(hub, held, run_size(hub), task if limit_drop is None else None)
    goal = 1 - (pruning.macs or 1.0)
    spent = _spent(pruning, costs, file_times(hub, found, costs.mac_terms), found.none_removed())
    states = cutbacks(found, candidates, costs, lambda stays: judge.quality(network.hub(stays)), spent, goal)
    grounds, repaired = Grounds(judge.judged_by, len(fitted), len(held)), None
    if limit_drop is not None:
        crossed = CrossFitted(hub, found, consumers, selection, task, progress)
        _require_decisions(crossed, limit_drop)
        states, repaired = crossed.judged(states), crossed.repaired if pruning.repair and selection.light else None
        grounds = Grounds(crossed.judged_by, len(selection.taken), crossed.samples, crossed=True)
    progress.stage("prune")
    search = Search(
        pruning=pruning,
        limit_drop=limit_drop,
        network=lambda stays: finished(network.hub(stays), found),
        measure=measure,
        judged_by=grounds.judged_by,
        repaired=repaired,
    )
    chosen = search.run(states)
    refuse_nothing(chosen, grounds, limit_drop)
    stays, taken = chosen.cutback.stays, selection.samples
    smaller = repair(hub, found, consumers, stays, taken, progress) if pruning.repair else remove(hub, found, stays)
    if not pruning.force:
        refuse_collapse(chosen, judge.quality(smaller).sqnr_db, grounds.judged_by)
    figures = _figures(found, costs, spaces, chosen, pruning, grounds)
    blocks = removed_blocks(found, pruning, stays, costs, lambda stays: judge.quality(network.hub(stays)))
    return Pruned(finished(smaller, found), replace(figures, blocks=blocks))


def finished(hub: Hub, found: Dependencies) -> Hub:
    """The hub as the next stages get it: without what only pruning needed."""
    return without_summands(without_unread_steps(hub), [block.adding for block in found.blocks])


def _require_layers(hub: Hub, found: Dependencies, pruning: Pruning, branches: Sequence[Branch]) -> None:
    makers = [maker for space in found.spaces for maker in space.makers]
    rules = [rule for rule in pruning.rules if not rule.remove]
    if not makers and not branches:
        whys = "; ".join(f"{layer.node}: {layer.reason}" for layer in found.protected[:_SHOWN])
        raise ConversionError(f"no layer of this network can be pruned. {whys}")
    names = [*makers, *(layer.node for layer in found.protected)]
    for rule in rules:
        others = fnmatch.filter([name_of(node) for node in hub.model.graph], rule.scope)
        if others and not fnmatch.filter(names, rule.scope):
            raise RecipeError(
                f"the prune rule {rule.scope!r} matches {others[0]!r}, but no layer that makes channels: those of depthwise "
                f"convolutions, normalizations and activations are of the layer before. Layers have names like {names[0]!r}."
            )
    require_matching(rules, names)


_SHOWN = 3


def _order(
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


def _candidates(
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


def _spent(pruning: Pruning, costs: Costs, kernels: FileTimes, whole: Stays) -> Callable[[Stays], float]:
    """What the goal asks for: parameters for a size, time for a latency, and multiply-accumulates that also take time."""
    if pruning.size_bytes is not None:
        return costs.parameters
    if pruning.latency_ms is not None:
        return kernels.left
    if pruning.channels is Channels.ANY:
        return costs.macs
    macs = max(1.0, costs.macs(whole))
    return lambda stays: costs.macs(stays) / macs + TIME_COUNTS * kernels.left(stays)


def _require_decisions(crossed: CrossFitted, limit_drop: float) -> None:
    """Raises UsageError where nothing tells what a cut costs in points."""
    if not crossed.tells_points:
        raise UsageError(
            f"a limit of {limit_drop:g} points can't be kept while pruning: the calibration samples have no labels for a metric, "
            "and the outputs decide nothing that could change (numbers, embeddings, or a copy of the input). Give "
            "labelled samples, or --metric and what it needs, or leave the limit out and see the signal in the report."
        )


def _figures(
    found: Dependencies,
    costs: Costs,
    spaces: Sequence[Candidate],
    chosen: Found,
    pruning: Pruning,
    grounds: Grounds,
) -> PruneFigures:
    whole, stays = found.none_removed(), chosen.cutback.stays
    left = [(space.name, len(space.units), int(stays[space.units].sum())) for space in spaces]
    return PruneFigures(
        goal=pruning.goal,
        macs=(round(costs.macs(whole)), round(costs.macs(stays))),
        parameters=(round(costs.parameters(whole)), round(costs.parameters(stays))),
        samples=(grounds.fitted, grounds.judged),
        found=chosen.step,
        steps=chosen.steps,
        layers=tuple(PrunedLayer(*layer) for layer in left if 0 < layer[2] < layer[1]),
        protected=tuple(f"{layer.node}: {layer.reason}" for layer in found.protected),
        stopped=chosen.stopped,
        judged_by=grounds.judged_by,
        crossed=grounds.crossed,
    )
