"""Multiply-accumulates of ONNX nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx

from edgekit_converters.inspection.macs import (
    convolution,
    matrix_product,
    recurrent,
    transposed_convolution,
)

Shapes = Mapping[str, tuple[int, ...]]


def macs_of(node: onnx.NodeProto, shapes: Shapes) -> int | None:
    """0 for ops that multiply no weights; None where a shape is unknown."""
    kind = _KINDS.get(node.op_type)
    if kind is None:
        return 0
    family, operand = kind
    names = [node.input[0], node.input[operand], node.output[0]]
    if family != "recurrent" and any(name not in shapes for name in names):
        return None
    if family == "recurrent":
        return _recurrent(node, shapes)
    data, weight, output = (shapes[name] for name in names)
    if family == "convolution":
        return convolution(output, math.prod(weight[1:]))
    if family == "transposed":
        return transposed_convolution(data, math.prod(weight[1:]))
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return matrix_product(output, data[0] if transposed else data[-1])


_KINDS = {
    "Conv": ("convolution", 1),
    "FusedConv": ("convolution", 1),
    "ConvInteger": ("convolution", 1),
    "QLinearConv": ("convolution", 3),
    "ConvTranspose": ("transposed", 1),
    "Gemm": ("matrix", 1),
    "FusedGemm": ("matrix", 1),
    "MatMul": ("matrix", 1),
    "MatMulInteger": ("matrix", 1),
    "QGemm": ("matrix", 3),
    "QLinearMatMul": ("matrix", 3),
    "DynamicQuantizeMatMul": ("matrix", 1),
    "MatMulIntegerToFloat": ("matrix", 1),
    "LSTM": ("recurrent", 1),
    "DynamicQuantizeLSTM": ("recurrent", 1),
    "GRU": ("recurrent", 1),
    "RNN": ("recurrent", 1),
}
"""Op -> its family, and which input holds the weights."""

_GATES = {"LSTM": 4, "DynamicQuantizeLSTM": 4, "GRU": 3, "RNN": 1}


def _recurrent(node: onnx.NodeProto, shapes: Shapes) -> int | None:
    data, recurrence = shapes.get(node.input[0]), shapes.get(node.input[2])
    if data is None or recurrence is None:
        return None
    steps, batch, inputs = data
    units = next((a.i for a in node.attribute if a.name == "hidden_size"), min(recurrence[1:]))
    return recurrent(steps * batch, _GATES[node.op_type], units, inputs, directions=recurrence[0])
