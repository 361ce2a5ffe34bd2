"""Output encodings that the int8 specification fixes: of sigmoid, tanh and the softmaxes."""

from __future__ import annotations

from edgekit_converters.quantize.node_rules import fixed_params as fixed_by_specification
from edgekit_converters.quantize.params import QuantParams
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode


def fixed_params(node: HubNode, out: FlatGraph) -> QuantParams | None:
    """The encoding the node's int8 kernel writes, whatever the plan says; None in float and where the plan is free."""
    return fixed_by_specification(node.op, out.width(node)) if out.is_integer(node) else None
