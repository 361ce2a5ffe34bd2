"""Output encodings that the int8 specification fixes: of sigmoid, tanh and the softmaxes."""

from __future__ import annotations

from edgekit_converters.quantize.params import QuantParams, per_tensor
from edgekit_converters.rules import RULES
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode


def fixed_params(node: HubNode, out: FlatGraph) -> QuantParams | None:
    """The encoding the node's int8 kernel writes, whatever the plan says; None in float and where the plan is free."""
    rule = RULES.get(node.op)
    if rule is None or rule.fixed is None or not out.is_integer(node):
        return None
    return per_tensor(rule.fixed.scale, rule.fixed.zero_point)
