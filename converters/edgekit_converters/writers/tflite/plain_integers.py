"""Element types that the kernels take: arithmetic on float32 and int32 (narrower integers are computed as int32), data
movement on a few more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit_converters.writers.tflite.flat_model import BuiltinOptions, FlatTensor
from edgekit_converters.writers.tflite.graph import FlatGraph, physical_dtype
from edgekit_converters.writers.tflite.layout import Permutation
from edgekit_converters.writers.tflite.node import HubNode, hub_dtype

_NARROW = ("int8", "uint8", "int16", "uint16")
_COMPUTED = ("float32", "int32", "bool")
_MOVED = (*_COMPUTED, "int8", "uint8", "int16")


def read_computable(node: HubNode, out: FlatGraph, index: int, layout: Permutation | None = None) -> FlatTensor:
    """An input in a type that the arithmetic kernels take: float32, int32, bool, or int8 with an encoding.

    Raises UnsupportedOpError for wide unsigned integers and other floats.
    """
    tensor = out.read(node, index, layout)
    if tensor.params is not None or tensor.dtype.name in _COMPUTED:
        return tensor
    if tensor.dtype.name in _NARROW:
        return out.tape.cast(tensor, np.int32)
    raise node.unsupported(f"TFLite does not compute on {tensor.dtype.name}; cast the input to float32 or int32")


def read_movable(
    node: HubNode, out: FlatGraph, index: int, layout: Permutation | None = None, refused: Sequence[str] = ()
) -> FlatTensor:
    """An input in a type that the kernels which move data take; ``refused`` are those this one does not.

    Raises UnsupportedOpError for any other, which the runtime would refuse when it opens the file.
    """
    tensor = out.read(node, index, layout)
    name = tensor.dtype.name
    if name not in _MOVED or (name in refused and tensor.params is None):
        raise node.unsupported(f"its TFLite kernel does not take {name}; cast the input to float32 or int32")
    return tensor


def emit(
    node: HubNode,
    out: FlatGraph,
    builtin: str,
    inputs: Sequence[FlatTensor],
    layout: Permutation,
    builtin_options: BuiltinOptions | None = None,
) -> None:
    """Append the operator that gives the node's output; int32 results become the hub's narrow type by a cast, which
    wraps around as ONNX does."""
    wanted = physical_dtype(hub_dtype(node.output()))
    if wanted.name not in _NARROW:
        out.tape.add(builtin, inputs, out.output(node, layout), builtin_options)
        return
    result = out.tape.compute(builtin, *inputs, builtin_options=builtin_options)
    out.bind(node, out.tape.cast(result, wanted), layout)
