"""Make a model of float16, bfloat16 or float64 one of float32: tensors, inputs, outputs and what Casts ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import all_values


def make_single_precision(model: ir.Model) -> int:
    """Turn every other float type of the model into float32, in place. Returns the number of values and attributes changed.

    Numbers beyond float32 become its largest, so that the -1e308 of a mask stays finite.
    """
    changes = 0
    for value in all_values(model):
        changes += _convert_value(value)
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        for attribute in list(node.attributes.values()):
            changes += _convert_attribute(node, attribute)
    return changes


def is_other_float(dtype: ir.DataType | None) -> bool:
    return dtype in _OTHER_FLOATS


def _convert_value(value: ir.Value) -> int:
    changed = 0
    if is_other_float(value.dtype) and isinstance(value.type, ir.TensorType):
        value.type = ir.TensorType(ir.DataType.FLOAT)
        changed = 1
    if value.const_value is not None and is_other_float(value.const_value.dtype):
        value.const_value = ir.Tensor(_narrowed(value.const_value.numpy()), name=value.name)
        value.type = ir.TensorType(ir.DataType.FLOAT)
        changed = 1
    return changed


def _convert_attribute(node: ir.Node, attribute: ir.Attr) -> int:
    if attribute.type is ir.AttributeType.TENSOR and is_other_float(attribute.as_tensor().dtype):
        tensor = ir.Tensor(_narrowed(attribute.as_tensor().numpy()))
        node.attributes[attribute.name] = ir.AttrTensor(attribute.name, tensor)
        return 1
    names_type = attribute.name in ("to", "dtype", "output_dtype") and attribute.type is ir.AttributeType.INT
    if names_type and attribute.as_int() in {dtype.value for dtype in _OTHER_FLOATS}:
        node.attributes[attribute.name] = ir.AttrInt64(attribute.name, ir.DataType.FLOAT.value)
        return 1
    return 0


def _narrowed(array: NDArray[Any]) -> NDArray[np.float32]:
    wide = array.astype(np.float64) if array.dtype != np.float64 else array
    limit = float(np.finfo(np.float32).max)
    return np.where(np.isinf(wide), wide, np.clip(wide, -limit, limit)).astype(np.float32)


_OTHER_FLOATS = frozenset({ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE})
