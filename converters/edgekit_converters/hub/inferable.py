"""Ops without a shape inference of their own: functions of ONNX, and what a writer puts into its copy of a hub."""

from __future__ import annotations

import onnx

SHAPED_AS_INPUT = frozenset({"GroupNormalization", "MeanVarianceNormalization", "SelectedRows"})


def inferable(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node itself, or one with the same output shape that ONNX's inference knows."""
    if node.op_type not in SHAPED_AS_INPUT:
        return node
    return onnx.helper.make_node("Identity", node.input[:1], node.output, name=node.name)
