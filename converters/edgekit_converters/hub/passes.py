"""What a pass is: an edit of a model that says how much it changed, and how it becomes a function from Hub to Hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from edgekit_converters.hub.model import Hub

Pass = Callable[[ir.Model], int]
"""Edits the model in place and returns the number of changes; 0 means that it found nothing to do.

Passes edit in place because a round of them works on one copy; `apply` is how anybody else runs one.
"""


def apply(hub: Hub, *passes: Pass) -> Hub:
    """A new hub on which ``passes`` ran, each once; ``hub`` stays as it was."""
    edited = hub.clone()
    for run in passes:
        run(edited.model)
    return edited


def until_settled(model: ir.Model, passes: Sequence[Pass]) -> int:
    """Run ``passes`` in order, again and again, until none of them changes anything; returns the number of changes.

    A bound on the rounds keeps two passes that undo one another from running for ever.
    """
    total = 0
    for _ in range(_MOST_ROUNDS):
        changes = sum(run(model) for run in passes)
        total += changes
        if not changes:
            break
    return total


_MOST_ROUNDS = 40
