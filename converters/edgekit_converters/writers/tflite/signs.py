"""What the graph says about the sign of a value."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.writers.tflite.activations import clamp_bounds
from edgekit_converters.writers.tflite.node import HubNode

_NONNEGATIVE = frozenset({"Relu", "Sigmoid", "Softmax", "HardSigmoid", "Abs", "Exp", "Sqrt", "Softplus"})
_KEEPS_SIGN = frozenset({"Identity", "Transpose", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Add"})
_SUMS = frozenset({"ReduceSum", "ReduceMean", "Reshape", "Unsqueeze", "Squeeze"})
"""Keep the sign of their first input; the others are shapes and axes."""
_DEPTH = 8


def is_nonnegative(value: ir.Value, depth: int = _DEPTH) -> bool:
    """True only when the nodes that make ``value`` prove it, at most ``depth`` of them back."""
    producer = value.producer()
    if producer is None or depth == 0:
        return False
    if producer.op_type in _NONNEGATIVE:
        return True
    if producer.op_type == "Clip":
        bounds = clamp_bounds(HubNode(producer))
        return bounds is not None and bounds[0] >= 0.0
    if producer.op_type == "Cast":
        source = producer.inputs[0]
        return source is not None and source.dtype == ir.DataType.BOOL
    if producer.op_type in _KEEPS_SIGN | _SUMS:
        sources = producer.inputs[:1] if producer.op_type in _SUMS else producer.inputs
        return all(source is not None and is_nonnegative(source, depth - 1) for source in sources)
    return False
