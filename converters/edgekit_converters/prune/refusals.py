"""Where pruning can do nothing, or what it did is no use: what to do instead."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.errors import ConversionError, RecipeError, UsageError
from edgekit.figures import PruneStep
from edgekit.pruning import Channels, Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.prune.branches import Branch
from edgekit_converters.prune.choice import Candidate
from edgekit_converters.prune.cross_fitted import CrossFitted
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.search import Found
from edgekit_converters.quantize.rule_scopes import require_matching
from edgekit_converters.quantize.scheme import name_of

COLLAPSE_DB = 6.0
"""Signal to noise ratio, on samples that weights were refitted to, below which a network is of little use."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What costs of cuts were found on: by which metric ("": decisions that change), how many samples weights were fitted to and
    how many judged; ``crossed``: the same ones, in turn."""

    judged_by: str
    fitted: int
    judged: int
    crossed: bool = False


def refuse_nothing(chosen: Found, grounds: Grounds, limit_drop: float | None) -> None:
    if any(chosen.cutback.removed):
        return
    raise ConversionError(
        f"nothing was pruned: {chosen.stopped}. {_course(chosen.steps, grounds.judged_by)}."
        + ("" if limit_drop is None else _advice(grounds, limit_drop))
    )


def _advice(grounds: Grounds, limit_drop: float) -> str:
    kind = "labelled samples" if grounds.judged_by else "samples"
    allow = "allow more with --limit-drop, or leave it out and say with --prune how much is to go"
    if limit_drop < _PLENTY * 100 / grounds.judged:
        needed = math.ceil(_PLENTY * 100 / limit_drop)
        return (
            f" One of the {grounds.judged} samples that judge it is {100 / grounds.judged:.2g} points: for a limit of "
            f"{limit_drop:g}, give {needed} {kind} or more with --calibrate; or {allow}"
        )
    return f" Those are the costs without training: {allow}, and train the result further"


_PLENTY = 4
"""So many samples in what a limit allows are enough to tell it."""


def refuse_collapse(chosen: Found, sqnr_db: float, judged_by: str, channels: Channels) -> None:
    """Raises where the samples, which the weights were refitted to, show that little is left of what the network knew."""
    if sqnr_db < COLLAPSE_DB:
        raise ConversionError(
            f"pruning to {chosen.step.macs_left:.0%} of the multiply-accumulates ruins it: the outputs' signal to noise "
            f"ratio falls to {sqnr_db:.1f} dB, and {COLLAPSE_DB:g} dB is little use{_even_so(chosen)}. "
            f"{_course(chosen.steps, judged_by)}. Ask for less, {_FINER if channels is Channels.FAST else ''}or take it with "
            "--force and train the result further."
        )


_FINER = 'or for finer counts with channels = "any" in the recipe\'s [prune], '


def _even_so(chosen: Found) -> str:
    return f"; even so, {chosen.stopped}" if chosen.stopped else ""


def _course(steps: Sequence[PruneStep], judged_by: str) -> str:
    """A few of the states on the way, in words."""
    shown = [steps[place] for place in sorted({len(steps) * part // _PARTS for part in range(1, _PARTS)}) if place]
    told = [
        ", ".join(filter(None, (f"{step.macs_left:.0%}: {step.sqnr_db:.1f} dB", step.cost(judged_by))))
        for step in shown
    ]
    return (
        "What cuts cost, by the multiply-accumulates left: " + "; ".join(told)
        if told
        else "No state on the way was better"
    )


_PARTS = 5


def require_layers(hub: Hub, found: Dependencies, pruning: Pruning, branches: Sequence[Branch]) -> None:
    """Raises ConversionError where nothing can go, RecipeError where a rule matches no layer."""
    if not found.spaces and not branches:
        whys = "; ".join(f"{layer.node}: {layer.reason}" for layer in found.protected[:_SHOWN])
        raise ConversionError(f"no layer of this network can be pruned. {whys}")
    require_scopes(hub, found, pruning)


_SHOWN = 3


def require_scopes(hub: Hub, found: Dependencies, pruning: Pruning) -> None:
    """Raises RecipeError where a rule of the layers matches none."""
    makers = [maker for space in found.spaces for maker in space.makers]
    names = [*makers, *(layer.node for layer in found.protected)]
    rules = [rule for rule in pruning.rules if not rule.remove]
    for rule in rules:
        others = fnmatch.filter([name_of(node) for node in hub.model.graph], rule.scope)
        if others and not fnmatch.filter(names, rule.scope):
            raise RecipeError(
                f"the prune rule {rule.scope!r} matches {others[0]!r}, but no layer that makes channels: those of depthwise "
                f"convolutions, normalizations and activations are of the layer before. Layers have names like {names[0]!r}."
            )
    require_matching(rules, names)


def require_candidates(candidates: Sequence[Candidate], pruning: Pruning) -> None:
    """Raises RecipeError where rules keep everything."""
    if not candidates and pruning.rules:
        scopes = ", ".join(repr(rule.scope) for rule in pruning.rules)
        raise RecipeError(
            f"the prune rules let nothing go: {scopes} keep all units of every layer that could lose some"
        )


def require_decisions(crossed: CrossFitted, limit_drop: float) -> None:
    """Raises UsageError where nothing tells what a cut costs in points."""
    if not crossed.tells_points:
        raise UsageError(
            f"a limit of {limit_drop:g} points can't be kept while pruning: the calibration samples have no labels for a metric, "
            "and the outputs decide nothing that could change (numbers, embeddings, or a copy of the input). Give "
            "labelled samples, or --metric and what it needs, or leave the limit out and see the signal in the report."
        )
