"""`prune`: a smaller hub from a trained one, its weights refitted, and the figures of what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.errors import ConversionError, UsageError
from edgekit.figures import PrunedLayer, PruneFigures, PruneStep
from edgekit.protocols import Dataset, Progress
from edgekit.pruning import Channels, Importance, Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.prune.choice import Candidate, Stays, cutbacks
from edgekit_converters.prune.compensate import Compensation
from edgekit_converters.prune.consumers import Consumer, consumers_of, read_spaces
from edgekit_converters.prune.costs import Costs, costs_of
from edgekit_converters.prune.dependencies import Dependencies, Role, Units
from edgekit_converters.prune.every_step import with_every_step, without_unread_steps
from edgekit_converters.prune.kernel_time import KernelTime, kernel_time
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.moments import Gram, GramKey, grams, run_size
from edgekit_converters.prune.order import by_activation, by_magnitude, by_second_order, readers_of
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.search import Found, Measure, Search
from edgekit_converters.prune.trace import trace
from edgekit_converters.prune.widths import DENSE, DEPTHWISE, FINE, widths_of
from edgekit_converters.quantize.calibrate_feeds import numbers_per_sample
from edgekit_converters.quantize.rule_scopes import require_matching
from edgekit_converters.quantize.scheme import name_of
from edgekit_converters.quantize.sequential_samples import Picked, spread

MOST_SAMPLES = 2048
"""Samples from which weights are refitted."""

MOST_NUMBERS = 2_000_000_000
"""Numbers computed over all nodes and samples, as a bound of the time: 256 pictures of EfficientNet-Lite0."""

HELD_OUT = 4
"""Of so many samples, one is held out: no weight is fitted to it while cuts are chosen."""

HELD_OUT_NUMBERS, LEAST_HELD_OUT = 200_000_000, 48
"""Numbers computed over all nodes and held out samples, as a bound of the time that a cut's trial takes; but so many samples."""

COLLAPSE_DB = 6.0
"""Signal to noise ratio, on samples that weights were refitted to, below which a network is of little use."""

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
) -> Pruned:
    """Remove what costs the outputs least until the goal is reached, or the next cut would exceed ``limit_drop`` points.

    ``measure`` is needed for goals other than multiply-accumulates. Raises UsageError without samples, RecipeError where a rule
    matches no layer, ConversionError where nothing can be removed or the result breaks down and ``force`` is not set.
    """
    if samples is None or len(samples) < HELD_OUT:
        count = "none" if samples is None else len(samples)
        raise UsageError(
            f"pruning needs {HELD_OUT} sample inputs at least and got {count}. Give --calibrate SAMPLES, better "
            "150 to 250 typical ones."
        )
    hub = with_every_step(hub)
    found = trace(hub)
    _require_layers(found, pruning)
    samples = _enough(hub, samples)
    fitted, held = _parted(hub, samples)
    consumers = consumers_of(hub, found)
    costs = costs_of(hub, found)
    known = grams(hub, consumers, fitted, progress)
    candidates = _candidates(hub, found, consumers, known, pruning)
    network = Compensation(hub, found, consumers, known)
    judge = Judge(hub, held, run_size(hub))
    progress.stage("prune")
    goal = 1 - (pruning.macs or 1.0)
    spent = _spent(pruning, costs, kernel_time(hub, found, costs.mac_terms), found.none_removed())
    states = cutbacks(found, candidates, costs, lambda stays: judge.quality(network.hub(stays)), spent, goal)
    chosen = Search(pruning, limit_drop, network.hub, measure).run(states)
    _refuse_nothing(chosen)
    smaller = repair(hub, found, consumers, chosen.cutback.stays, samples, progress)
    if not pruning.force:
        _refuse_collapse(chosen, judge.quality(smaller).sqnr_db)
    return Pruned(
        without_unread_steps(smaller), _figures(found, costs, candidates, chosen, pruning, (len(fitted), len(held)))
    )


def _require_layers(found: Dependencies, pruning: Pruning) -> None:
    makers = [maker for space in found.spaces for maker in space.makers]
    if not makers:
        whys = "; ".join(f"{layer.node}: {layer.reason}" for layer in found.protected[:_SHOWN])
        raise ConversionError(f"no layer of this network can be pruned. {whys}")
    require_matching(pruning.rules, [*makers, *(layer.node for layer in found.protected)])


_SHOWN = 3


def _enough(hub: Hub, samples: Dataset) -> Dataset:
    """As many samples as refitting needs and the bound of the work allows."""
    count = max(1, min(len(samples), MOST_SAMPLES, max(_FEWEST_SAMPLES, MOST_NUMBERS // _numbers(hub))))
    return samples if count == len(samples) else Picked(samples, spread(len(samples), count))


_FEWEST_SAMPLES = 32


def _numbers(hub: Hub) -> int:
    """Computed over all nodes for one sample."""
    return max(1, sum(numbers_per_sample(value) for node in hub.model.graph for value in node.outputs))


def _parted(hub: Hub, samples: Dataset) -> tuple[Dataset, Dataset]:
    """Those that weights are fitted to while cuts are chosen, and those that cuts are judged on."""
    most = max(LEAST_HELD_OUT, HELD_OUT_NUMBERS // _numbers(hub))
    rows = spread(len(samples), min(most, len(samples) // HELD_OUT))
    others = np.setdiff1d(np.arange(len(samples)), rows)
    return Picked(samples, others), Picked(samples, rows)


def _candidates(
    hub: Hub, found: Dependencies, consumers: Sequence[Consumer], known: Mapping[GramKey, Gram], pruning: Pruning
) -> list[Candidate]:
    """Spaces with units that may go, in the order of the importance asked for."""
    candidates, depthwise = [], _depthwise(hub, found)
    for space in read_spaces(found.spaces, consumers):
        most = int(min(pruning.most_of(maker) for maker in space.makers) * len(space.units))
        if most:
            order = _ORDERS[pruning.importance](space, readers_of(space, consumers, known))
            fast = DEPTHWISE if np.isin(space.units, depthwise).any() else DENSE
            multiples = FINE if pruning.channels is Channels.ANY else fast
            candidates.append(Candidate(space.name, order, widths_of(space, multiples), most))
    return candidates


def _depthwise(hub: Hub, found: Dependencies) -> Units:
    """Channels that depthwise convolutions work on."""
    convolutions = {name_of(node) for node in hub.model.graph if node.op_type == "Conv"}
    passed = [cut.units for cut in found.cuts if cut.role is Role.FOLLOWS and cut.node in convolutions]
    return np.unique(np.concatenate(passed)) if passed else np.array([], np.int64)


def _spent(pruning: Pruning, costs: Costs, kernels: KernelTime, whole: Stays) -> Callable[[Stays], float]:
    """What the goal asks for: parameters for a size, time for a latency, and multiply-accumulates that also take time."""
    if pruning.size_bytes is not None:
        return costs.parameters
    if pruning.latency_ms is not None:
        return kernels.left
    if pruning.channels is Channels.ANY:
        return costs.macs
    macs, time = max(1.0, costs.macs(whole)), max(1.0, kernels.left(whole))
    return lambda stays: costs.macs(stays) / macs + kernels.left(stays) / time


def _refuse_nothing(chosen: Found) -> None:
    if not any(chosen.cutback.removed):
        raise ConversionError(f"nothing was pruned: {chosen.stopped}. {_course(chosen.steps)}")


def _refuse_collapse(chosen: Found, sqnr_db: float) -> None:
    """Raises where the samples, which the weights were refitted to, show that little is left of what the network knew."""
    if sqnr_db < COLLAPSE_DB:
        raise ConversionError(
            f"pruning to {chosen.step.macs_left:.0%} of the multiply-accumulates ruins it: the outputs' signal to noise "
            f"ratio falls to {sqnr_db:.1f} dB, and {COLLAPSE_DB:g} dB is little use. {_course(chosen.steps)}. "
            "Ask for less, or take it with --force and train the result further."
        )


def _course(steps: Sequence[PruneStep]) -> str:
    """A few of the states on the way, in words."""
    shown = [steps[place] for place in sorted({len(steps) * part // _PARTS for part in range(1, _PARTS)}) if place]
    told = [
        f"{step.macs_left:.0%}: {step.sqnr_db:.1f} dB, {step.drop_points:.0f} decisions of 100 changed"
        for step in shown
    ]
    return "On the way: " + "; ".join(told) if told else "No state on the way was better"


_PARTS = 5


def _figures(
    found: Dependencies,
    costs: Costs,
    candidates: Sequence[Candidate],
    chosen: Found,
    pruning: Pruning,
    samples: tuple[int, int],
) -> PruneFigures:
    whole, stays = found.none_removed(), chosen.cutback.stays
    layers = zip(candidates, chosen.cutback.removed, strict=True)
    return PruneFigures(
        goal=pruning.goal,
        macs=(round(costs.macs(whole)), round(costs.macs(stays))),
        parameters=(round(costs.parameters(whole)), round(costs.parameters(stays))),
        samples=samples,
        found=chosen.step,
        steps=chosen.steps,
        layers=tuple(PrunedLayer(c.name, len(c.units), len(c.units) - gone) for c, gone in layers if gone),
        protected=tuple(f"{layer.node}: {layer.reason}" for layer in found.protected),
        stopped=chosen.stopped,
    )
