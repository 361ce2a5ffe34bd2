"""`zeros_in`: the zeros among the weights of a written file, and what packing makes of them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.sparsity import FileZeros
from edgekit_converters.sparsify.matrices import SMALLEST

_WEIGHT_TYPES = ("float32", "float16", "int8", "uint8")
_ZIP_LEVEL = 6


@dataclass(frozen=True, slots=True)
class _Matrix:
    weights: int
    zeros: int
    encoded: bool = False
    """Stored without its zeros."""


def zeros_in(path: Path) -> FileZeros:
    """Counted in the file itself: constants of two axes or more, as the runtime will read them."""
    content = path.read_bytes()
    found = list(_tflite(content) if path.suffix == ".tflite" else _onnx(content))
    return FileZeros(
        file=path.name,
        weights=sum(matrix.weights for matrix in found),
        zeros=sum(matrix.zeros for matrix in found),
        size_bytes=len(content),
        zipped_bytes=len(zlib.compress(content, _ZIP_LEVEL)),
        skipped=sum(matrix.weights for matrix in found if matrix.encoded),
    )


def _onnx(content: bytes) -> Iterator[_Matrix]:
    import onnx

    for tensor in onnx.ModelProto.FromString(content).graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype.name in _WEIGHT_TYPES and _is_matrix(array.shape):
            yield _Matrix(array.size, int(np.count_nonzero(array == _zero_point(array))))


def _zero_point(array: NDArray[Any]) -> int:
    """Weights that ONNX Runtime wants unsigned are moved by 128."""
    return 128 if array.dtype.name == "uint8" else 0


def _tflite(content: bytes) -> Iterator[_Matrix]:
    from ai_edge_litert import schema_py_generated as schema

    types = {
        schema.TensorType.FLOAT32: np.float32,
        schema.TensorType.FLOAT16: np.float16,
        schema.TensorType.INT8: np.int8,
    }
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        data = model.buffers[tensor.buffer].data
        shape = tuple(int(size) for size in tensor.shape) if tensor.shape is not None else ()
        if tensor.type in types and data is not None and _is_matrix(shape):
            stored = np.frombuffer(np.asarray(data, np.uint8).tobytes(), types[tensor.type])
            weights = math.prod(shape)
            yield _Matrix(weights, weights - int(np.count_nonzero(stored)), tensor.sparsity is not None)


def _is_matrix(shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and math.prod(shape) >= SMALLEST
