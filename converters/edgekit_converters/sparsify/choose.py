"""`choose`: which matrices get which pattern, and how many zeros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgekit.errors import ConversionError
from edgekit.protocols import Progress
from edgekit.recipe import Recipe
from edgekit.sparsity import Sparsity
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.rule_scopes import require_matching
from edgekit_converters.quantize.scheme import name_of
from edgekit_converters.sparsify.allocate import Curve, shares
from edgekit_converters.sparsify.matrices import Matrix
from edgekit_converters.sparsify.moments import Gathering
from edgekit_converters.sparsify.patterns import fits
from edgekit_converters.sparsify.sensitivity import Outputs, Sensitivity, measured
from edgekit_converters.sparsify.walk import Walk, dense_pass

SPARED = 0.05
"""Share of all weights that N:M leaves dense where zeros would cost most: depthwise layers, the first, the last small ones."""

EVENLY = 0.2
"""Part of the zeros that all matrices get in the same share: errors measured alone add up to less than they come to together."""

Patterns = Mapping[Use, Sparsity]


@dataclass(frozen=True, slots=True)
class Choice:
    """``sparsity`` None: dense, for ``reason``. ``shrink``: see `Moments.problem`."""

    sparsity: Sparsity | None
    share: float = 0.0
    shrink: float = 0.0
    reason: str = ""


def wanted_patterns(hub: Hub, matrices: Sequence[Matrix], recipe: Recipe) -> Patterns:
    """The pattern of every matrix that can hold the one asked for.

    Raises RecipeError when a rule's scope matches no node, ConversionError when nothing can become sparse.
    """
    require_matching([rule for rule in recipe.rules if rule.sparsify], [name_of(node) for node in hub.model.graph])
    found = {}
    for matrix in matrices:
        sparsity = recipe.sparsity_of(matrix.use.node)
        if sparsity is not None and fits(sparsity, *matrix.shape[1:], matrix.channels):
            found[matrix.use] = sparsity
    if not found:
        raise ConversionError(
            f"none of the model's {len(matrices)} weight matrices can hold the pattern asked for. "
            "N:M needs several input channels to an output, which depthwise layers don't have; "
            "a plain share (50%) fits every layer."
        )
    return found


def choose(
    walk: Walk, matrices: Sequence[Matrix], patterns: Patterns, recipe: Recipe, progress: Progress
) -> dict[Use, Choice]:
    """Every matrix's choice, by what zeros in it do to the model's outputs."""
    outputs = Outputs(walk.hub, walk.samples, walk.judges())
    found: dict[Use, Sensitivity] = {}

    def look(matrix: Matrix, gathering: Gathering) -> None:
        found[matrix.use] = measured(matrix, patterns[matrix.use], gathering, outputs)

    progress.stage("measure what zeros cost", len(walk.groups))
    dense_pass(walk, look, progress)
    chosen = {
        matrix.use: Choice(None, reason=_unfit(matrix, recipe.sparsity_of(matrix.use.node))) for matrix in matrices
    }
    by_rules = replace(recipe, sparsify=None)
    spare = SPARED * sum(matrix.size for matrix in matrices)
    for sparsity in dict.fromkeys(patterns.values()):
        own = [matrix for matrix in matrices if patterns.get(matrix.use) == sparsity]
        chosen |= (
            _free(own, sparsity, found) if sparsity.group is None else _fixed(own, sparsity, found, by_rules, spare)
        )
    return chosen


def _free(matrices: Sequence[Matrix], sparsity: Sparsity, found: Mapping[Use, Sensitivity]) -> dict[Use, Choice]:
    curves = [Curve(matrix.size, found[matrix.use].errors) for matrix in matrices]
    chosen = shares(curves, sparsity.share, sum(matrix.size for matrix in matrices))
    return {
        matrix.use: Choice(sparsity, EVENLY * sparsity.share + (1 - EVENLY) * share, found[matrix.use].shrink)
        for matrix, share in zip(matrices, chosen, strict=True)
    }


def _fixed(
    matrices: Sequence[Matrix], sparsity: Sparsity, found: Mapping[Use, Sensitivity], by_rules: Recipe, spare: float
) -> dict[Use, Choice]:
    """N:M everywhere but in the matrices where a zero costs most, as long as these hold no more than ``spare`` weights.

    What a rule asks for by name is done everywhere.
    """
    chosen = {}
    for matrix in sorted(matrices, key=lambda each: found[each.use].errors[sparsity.share] / each.size, reverse=True):
        if matrix.size <= spare and by_rules.sparsity_of(matrix.use.node) is None:
            spare -= matrix.size
            chosen[matrix.use] = Choice(None, reason=_DEAR)
        else:
            chosen[matrix.use] = Choice(sparsity, sparsity.share, found[matrix.use].shrink)
    return chosen


def _unfit(matrix: Matrix, sparsity: Sparsity | None) -> str:
    if sparsity is None:
        return "left dense: no zeros are asked for here"
    if sparsity.group is not None and sparsity.kept_of(matrix.channels) < matrix.channels:
        return f"left dense: its {matrix.channels} input channels are too many to be solved at once, and no cut meets {sparsity}"
    return f"left dense: {matrix.channels} input channel(s) to an output can't hold {sparsity}"


_DEAR = "left dense: zeros in it cost more than elsewhere"
