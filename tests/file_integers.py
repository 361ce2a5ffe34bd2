"""The integers that a TFLite and an ONNX file hold, by the hub's names, in the hub's layout."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

Integers = dict[str, NDArray[np.int64]]

_FROM_TFLITE = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}
"""Axes that bring a filter (OHWI, 1HWC) to ONNX's order (OIHW, C1HW)."""


def onnx_integers(path: Path) -> Integers:
    """What feeds a DequantizeLinear from a constant; unsigned ones shifted to signed."""
    graph = onnx.load(path).graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    read = [node.input[0] for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in constants]
    return {re.sub(r"_(u?int8|int32)$", "", name): _signed(constants[name]) for name in read}


def tflite_integers(path: Path) -> Integers:
    """Quantized constants: weights, biases and other operands."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph = model.subgraphs[0]
    builtins = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    numpy_types = {schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32}
    found: Integers = {}
    for operator in graph.operators:
        kind = builtins[model.operatorCodes[operator.opcodeIndex].builtinCode]
        for place, index in enumerate(operator.inputs):
            tensor = graph.tensors[index]
            data = model.buffers[tensor.buffer].data
            if data is None or tensor.quantization is None or tensor.quantization.scale is None:
                continue
            array = np.frombuffer(bytes(data), numpy_types[tensor.type]).reshape(tensor.shape).astype(np.int64)
            axes = _FROM_TFLITE.get(kind) if place == 1 else None
            found[tensor.name.decode()] = array.transpose(axes) if axes else array
    return found


def _signed(array: NDArray[np.generic]) -> NDArray[np.int64]:
    return array.astype(np.int64) - (128 if array.dtype == np.uint8 else 0)
