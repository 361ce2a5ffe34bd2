"""Ops that give the same numbers another shape or order of axes."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import identity
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers


@lowers("Identity", int8=True)
def same(node: HubNode, out: FlatGraph) -> None:
    out.alias(node)


@lowers("Dropout", int8=True)
def dropout(node: HubNode, out: FlatGraph) -> None:
    """Nothing is dropped in inference, so the mask is True everywhere."""
    if node.has(2) and node.required_constant(2, "training mode").any():
        raise node.unsupported("it is in training mode; export the model for inference")
    out.alias(node)
    if node.output_count > 1 and node.is_used(1):
        shape = node.output_shape(1)
        out.bind(node, out.tape.constant(np.ones(shape, np.bool_)), identity(len(shape)), 1)


@lowers("Transpose", int8=True)
def transpose(node: HubNode, out: FlatGraph) -> None:
    """Emits nothing: the output reads the input's tensors in another order."""
    out.alias(node, node.integers("perm", tuple(reversed(range(node.rank())))))


@lowers("Reshape", "Flatten", "Squeeze", "Unsqueeze", int8=True)
def reshape(node: HubNode, out: FlatGraph) -> None:
    out.reshape(node)
