"""`prunable`: which layers of a hub can lose channels, units or heads, told from its structure alone."""

from __future__ import annotations

from edgekit.figures import Prunable, PrunableBlock, PrunableLayer
from edgekit.pruning import Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.prune.block_choice import removable
from edgekit_converters.prune.branches import residual_branches
from edgekit_converters.prune.consumers import consumers_of, read_spaces
from edgekit_converters.prune.dependencies import Space
from edgekit_converters.prune.every_step import with_every_step
from edgekit_converters.prune.refusals import require_scopes
from edgekit_converters.prune.split_sizes import with_split_sizes
from edgekit_converters.prune.trace import trace


def prunable(hub: Hub, pruning: Pruning) -> Prunable:
    """Layers and blocks by the names that rules match. Raises RecipeError where a rule of ``pruning`` matches none of them."""
    hub = with_split_sizes(with_every_step(hub))
    found = trace(hub)
    removable(hub, pruning)
    if found.spaces:
        require_scopes(hub, found, pruning)
    read = read_spaces(found.spaces, consumers_of(hub, found))
    unread = {space.name for space in found.spaces} - {space.name for space in read}
    layers = tuple(_layer(space, pruning) for space in read)
    protected = [f"{layer.node}: {layer.reason}" for layer in found.protected]
    return Prunable(
        layers=layers,
        protected=(*protected, *(f"{name}: {_UNREAD}" for name in sorted(unread))),
        blocks=tuple(PrunableBlock(branch.name, branch.layers) for branch in residual_branches(hub)),
    )


def _layer(space: Space, pruning: Pruning) -> PrunableLayer:
    units = len(space.units)
    return PrunableLayer(space.name, units, min(pruning.most_of(maker, units) for maker in space.makers), space.makers)


_UNREAD = "no layer that could be refitted sums over its channels"
