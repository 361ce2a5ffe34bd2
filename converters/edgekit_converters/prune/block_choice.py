"""Which residual branches may go as a whole: those that rules remove, and with ``blocks = "auto"`` those that no rule keeps."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence

from edgekit.errors import RecipeError
from edgekit.figures import PrunedBlock
from edgekit.pruning import Blocks, PruneRule, Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.prune.branches import Branch, residual_branches
from edgekit_converters.prune.choice import Candidate
from edgekit_converters.prune.costs import Costs
from edgekit_converters.prune.dependencies import Block, Dependencies, Stays
from edgekit_converters.prune.loss import Quality
from edgekit_converters.prune.widths import Widths

_SHOWN = 3


def removable(hub: Hub, pruning: Pruning) -> tuple[Branch, ...]:
    """Branches that may go, or that go first. Raises RecipeError where the scope of a rule holds none."""
    branches = residual_branches(hub)
    for rule in pruning.rules:
        if rule.remove and not any(_holds(rule, branch.name, branch.layers) for branch in branches):
            raise RecipeError(_no_branch(rule, branches))
    free = pruning.blocks is Blocks.AUTO and pruning.units is None  # as many units as may go: all blocks would
    return tuple(
        branch
        for branch in branches
        if _is_named(pruning, branch.name, branch.layers) or (free and _is_free(pruning, branch))
    )


def block_candidates(found: Dependencies, pruning: Pruning) -> list[Candidate]:
    """The blocks for the choice, each gone at once."""
    return [_candidate(block, _is_named(pruning, block.name, block.layers)) for block in found.blocks]


def _candidate(block: Block, first: bool) -> Candidate:
    count = len(block.units)
    return Candidate(block.name, block.units, Widths(count, 0), count, first)


def removed_blocks(
    found: Dependencies, pruning: Pruning, stays: Stays, costs: Costs, quality: Callable[[Stays], Quality]
) -> tuple[PrunedBlock, ...]:
    """The blocks that are gone, without those that lie in others; what each would have cost alone."""
    gone, whole = found.gone(stays), costs.macs(found.none_removed())
    told = []
    for block in found.blocks:
        if not stays[block.unit] and block.adding not in gone:
            alone = found.without(block.units)
            told.append(
                PrunedBlock(
                    name=block.name,
                    layers=block.layers,
                    macs=1 - costs.macs(alone) / max(1.0, whole),
                    sqnr_db=quality(alone).sqnr_db,
                    by_rule=_is_named(pruning, block.name, block.layers),
                )
            )
    return tuple(told)


def _is_named(pruning: Pruning, name: str, layers: Sequence[str]) -> bool:
    return any(rule.remove and _holds(rule, name, layers) for rule in pruning.rules)


def _holds(rule: PruneRule, name: str, layers: Sequence[str]) -> bool:
    return name == rule.scope or all(fnmatch.fnmatchcase(layer, rule.scope) for layer in layers)


def _is_free(pruning: Pruning, branch: Branch) -> bool:
    """Whether no rule keeps units of its layers."""
    return all(pruning.most_of(layer, _MANY) == _MANY for layer in branch.layers)


_MANY = 1 << 20


def _no_branch(rule: PruneRule, branches: Sequence[Branch]) -> str:
    if not branches:
        return f"the prune rule {rule.scope!r} removes blocks, but the network has no residual branch: nothing can go as a whole"
    touched = [
        branch.name for branch in branches if any(fnmatch.fnmatchcase(name, rule.scope) for name in branch.layers)
    ]
    part = f" It matches only a part of {touched[0]!r}." if touched else ""
    names = ", ".join(repr(branch.name) for branch in branches[:_SHOWN])
    return (
        f"the prune rule {rule.scope!r} removes blocks, but holds no whole residual branch.{part} Branches have names like "
        f"{names}; edgekit convert --dry-run with this recipe lists them all."
    )
