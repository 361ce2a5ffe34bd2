"""Ops that give the same numbers another shape or order of axes."""

from __future__ import annotations

from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers


@lowers("Identity", "Dropout", int8=True)
def same(node: HubNode, out: FlatGraph) -> None:
    out.alias(node)


@lowers("Transpose", int8=True)
def transpose(node: HubNode, out: FlatGraph) -> None:
    """Emits nothing: the output reads the input's tensors in another order."""
    out.alias(node, node.integers("perm", tuple(reversed(range(node.rank())))))


@lowers("Reshape", "Flatten", "Squeeze", "Unsqueeze", int8=True)
def reshape(node: HubNode, out: FlatGraph) -> None:
    out.reshape(node)
