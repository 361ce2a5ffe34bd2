"""`rule_of`: the rule of a node, which for a few operators depends on what its inputs are."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor
from edgekit_converters.rules import PRODUCT, RECURRENT, RECURRENT_RULE, RULES, OpRule


def rule_of(node: ir.Node) -> OpRule | None:
    """None for an operator that never computes on integers."""
    if node.op_type in RECURRENT:
        return RECURRENT_RULE
    if node.op_type == "MatMul" and not _is_matrix(node.inputs[1]):
        return PRODUCT
    return RULES.get(node.op_type)


def integer_rule(node: ir.Node) -> OpRule:
    """The rule of a node that is planned to compute on integers."""
    rule = rule_of(node)
    assert rule is not None, f"{node.name} ({node.op_type}) has no rule"
    return rule


def fixed_params(op_type: str, width: QuantType) -> QuantParams | None:
    """The encoding that the specification gives to an op's output, by the width of its activations; None where it is free."""
    rule = RULES.get(op_type)
    if rule is None or rule.fixed is None:
        return None
    if width is QuantType.INT16:
        return per_tensor(rule.fixed.wide_scale, 0, width)
    return per_tensor(rule.fixed.scale, rule.fixed.zero_point)


def _is_matrix(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is not None and len(value.const_value.shape) == 2
