"""Integers that stand for themselves: TFLite's arithmetic kernels know int32, so narrower ones are computed as int32."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.flat_model import FlatTensor
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation
from edgekit_converters.writers.tflite.node import HubNode

_NARROW = ("int8", "uint8", "int16", "uint16")
_COMPUTED = ("float32", "int32", "bool")


def read_computable(node: HubNode, out: FlatGraph, index: int, layout: Permutation | None = None) -> FlatTensor:
    """An input in a type that elementwise kernels take: float32, int32, bool, or int8 with an encoding.

    Raises UnsupportedOpError for 32-bit and 64-bit unsigned integers and other floats.
    """
    tensor = out.read(node, index, layout)
    if tensor.params is not None or tensor.dtype.name in _COMPUTED:
        return tensor
    if tensor.dtype.name in _NARROW:
        return out.tape.cast(tensor, np.int32)
    raise node.unsupported(f"TFLite has no arithmetic on {tensor.dtype.name}; cast the input to float32 or int32")


def bind_computed(
    node: HubNode, out: FlatGraph, tensor: FlatTensor, layout: Permutation | None = None, index: int = 0
) -> None:
    """Declare the result, cast back to the narrow type (which wraps around as ONNX does) where the hub has one."""
    wanted = out.physical_output_dtype(node, index)
    out.bind(node, tensor if tensor.params is not None else out.tape.cast(tensor, wanted), layout, index)
