"""`prune`: a smaller hub from a trained one, its weights refitted, and the figures of what that costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from edgekit.figures import PrunedLayer, PruneFigures
from edgekit.protocols import Dataset, Progress
from edgekit.pruning import Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.prune.block_choice import block_candidates, removable, removed_blocks
from edgekit_converters.prune.blocks import with_blocks
from edgekit_converters.prune.candidates import candidates_of, order_of, spent_of
from edgekit_converters.prune.choice import Candidate, Cutback, cutbacks
from edgekit_converters.prune.compensate import Compensation
from edgekit_converters.prune.consumers import consumers_of, refittable
from edgekit_converters.prune.costs import Costs, costs_of
from edgekit_converters.prune.cross_fitted import CrossFitted
from edgekit_converters.prune.dependencies import Dependencies, Stays
from edgekit_converters.prune.every_step import with_every_step, without_unread_steps
from edgekit_converters.prune.kernel_time import file_times
from edgekit_converters.prune.loss import Judge, Quality, Task
from edgekit_converters.prune.moments import grams, run_size
from edgekit_converters.prune.refusals import (
    Grounds,
    refuse_collapse,
    refuse_nothing,
    require_candidates,
    require_decisions,
    require_layers,
)
from edgekit_converters.prune.removal import remove
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.samples import Selection, select
from edgekit_converters.prune.search import Found, Measure, Search
from edgekit_converters.prune.split_sizes import with_split_sizes
from edgekit_converters.prune.summands import without_summands
from edgekit_converters.prune.trace import trace


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
    found = _followed(hub, pruning, selection)
    consumers, costs = consumers_of(hub, found), costs_of(hub, found)
    known = grams(hub, consumers, selection.fitted, progress)
    order = order_of(hub, consumers, known, selection.fitted, pruning.importance, progress)
    spaces = candidates_of(hub, found, consumers, order, pruning)
    judge = Judge(hub, selection.held_out, run_size(hub), task if limit_drop is None else None)
    own = refittable(consumers)
    network = Compensation(hub, found, own, known)

    def quality(stays: Stays) -> Quality:
        return judge.quality(network.hub(stays))

    def smaller(stays: Stays) -> Hub:
        return finished(network.hub(stays), found)

    candidates = [*spaces, *block_candidates(found, pruning)]
    require_candidates(candidates, pruning)
    spent = spent_of(pruning, costs, file_times(hub, found, costs.mac_terms), found.none_removed())
    states = cutbacks(found, candidates, costs, quality, spent, 1 - (pruning.macs or 1.0))
    course = _Course(states, Grounds(judge.judged_by, len(selection.fitted), len(selection.held_out)))
    if limit_drop is not None:
        crossed = CrossFitted(hub, found, own, selection, task, progress)
        require_decisions(crossed, limit_drop)
        course = _crossed(states, crossed, pruning, selection)
    progress.stage("prune")
    grounds = course.grounds
    chosen = Search(pruning, limit_drop, smaller, measure, grounds.judged_by, course.repaired).run(course.states)
    refuse_nothing(chosen, grounds, limit_drop)
    stays, taken = chosen.cutback.stays, selection.samples
    made = repair(hub, found, own, stays, taken, progress) if pruning.repair else remove(hub, found, stays)
    if not pruning.force:
        refuse_collapse(chosen, judge.quality(made).sqnr_db, grounds.judged_by, pruning.channels)
    figures = _figures(found, costs, spaces, chosen, pruning, grounds)
    return Pruned(finished(made, found), replace(figures, blocks=removed_blocks(found, pruning, stays, costs, quality)))


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """The states to search, what their costs were found on, and a state with its cost after `repair`, where that is quick."""

    states: Iterator[Cutback]
    grounds: Grounds
    repaired: Callable[[Cutback], Cutback] | None = None


def _crossed(states: Iterator[Cutback], crossed: CrossFitted, pruning: Pruning, selection: Selection) -> _Course:
    return _Course(
        states=crossed.judged(states),
        grounds=Grounds(crossed.judged_by, len(selection.taken), crossed.samples, crossed=True),
        repaired=crossed.repaired if pruning.repair and selection.light else None,
    )


def _followed(hub: Hub, pruning: Pruning, selection: Selection) -> Dependencies:
    """What goes together, whole branches too. Raises as `prune` does where nothing can go or a rule matches nothing."""
    found, branches = trace(hub), removable(hub, pruning)
    require_layers(hub, found, pruning, branches)
    return with_blocks(hub, found, branches, selection.fitted)


def finished(hub: Hub, found: Dependencies) -> Hub:
    """The hub as the next stages get it: without what only pruning needed."""
    return without_summands(without_unread_steps(hub), [block.adding for block in found.blocks])


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
        channels=pruning.channels.value,
    )
