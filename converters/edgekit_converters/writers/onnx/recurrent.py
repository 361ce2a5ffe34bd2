"""Recurrent layers with int8 weights."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.quantize.quant_plan import QuantizedConstant, QuantPlan, Use
from edgekit_converters.quantize.scheme import name_of
from edgekit_converters.writers.onnx.editor import GraphEditor

CONTRIB_DOMAIN = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

_INPUTS = 8
_WEIGHT, _RECURRENCE = 1, 2


def dynamic_lstm(editor: GraphEditor, node: ir.Node, plan: QuantPlan) -> None:
    """ONNX Runtime's DynamicQuantizeLSTM, which quantizes the input and the state of each step and multiplies integers.

    The node becomes one in place. It takes the weights as (directions, columns, rows), one scale a row:
    https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM
    """
    stored = [plan.constants[Use(name_of(node), index)] for index in (_WEIGHT, _RECURRENCE)]
    node.resize_inputs(_INPUTS + 2 * len(stored))
    for place, (index, constant) in enumerate(zip((_WEIGHT, _RECURRENCE), stored, strict=True)):
        weight, scale, zero_point = _stored(editor, f"{name_of(node)}/{'WR'[place]}", constant)
        node.replace_input_with(index, weight)
        node.replace_input_with(_INPUTS + 2 * place, scale)
        node.replace_input_with(_INPUTS + 2 * place + 1, zero_point)
    node.op_type, node.domain = "DynamicQuantizeLSTM", CONTRIB_DOMAIN
    node.attributes.pop("layout", None)
    editor.graph.opset_imports.setdefault(CONTRIB_DOMAIN, 1)


def _stored(editor: GraphEditor, name: str, constant: QuantizedConstant) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Weight, scale and zero point."""
    directions, rows, _ = constant.integers.shape
    scale = np.broadcast_to(constant.params.scale, (directions, rows))
    return (
        editor.initializer(f"{name}_int8", np.ascontiguousarray(constant.integers.transpose(0, 2, 1))),
        editor.initializer(f"{name}_scale", np.ascontiguousarray(scale)),
        editor.initializer(f"{name}_zero_point", np.zeros((directions, rows), np.int8)),
    )
