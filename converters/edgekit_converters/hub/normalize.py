"""`normalize`: bring a hub that a reader made to the form that planning and writing rely on (`Hub` lists the promises)."""

from __future__ import annotations

from edgekit_converters.hub.fold_constants import fold_constants
from edgekit_converters.hub.fold_shapes import fold_shapes
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.passes import until_settled
from edgekit_converters.hub.remove_no_ops import remove_dead_code, remove_no_ops


def normalize(hub: Hub) -> Hub:
    """A new hub that computes the same and keeps the promises of `Hub`; ``hub`` stays as it was."""
    result = hub.clone()
    until_settled(result.model, _PASSES)
    return result


_PASSES = (infer_shapes, fold_constants, fold_shapes, remove_no_ops, remove_dead_code)
