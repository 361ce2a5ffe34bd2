"""Comparisons and logic between layers: what Keras 3 writes into a functional model for its masks, and the like."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.rules.operations import operands, options, reduced, table, term
from edgekit_converters.sources.keras.table import Emit, reads
from edgekit_converters.sources.keras.value import Value

_COMPARISONS = {
    "Equal": ("ops.Equal", "tf.math.equal"),
    "Greater": ("ops.Greater", "tf.math.greater"),
    "GreaterOrEqual": ("ops.GreaterEqual", "tf.math.greater_equal"),
    "Less": ("ops.Less", "tf.math.less"),
    "LessOrEqual": ("ops.LessEqual", "tf.math.less_equal"),
}
_LOGIC = {
    "And": ("ops.LogicalAnd", "tf.math.logical_and"),
    "Or": ("ops.LogicalOr", "tf.math.logical_or"),
    "Xor": ("ops.LogicalXor", "tf.math.logical_xor"),
}
_REDUCTIONS = {"ReduceMax": ("ops.Any", "tf.math.reduce_any"), "ReduceMin": ("ops.All", "tf.math.reduce_all")}


def _comparison(op_type: str) -> Emit:
    def emit(call: LayerCall) -> Value:
        return _compared(call, op_type)

    return emit


def _compared(call: LayerCall, op_type: str) -> Value:
    left, right = (term(item) for item in operands(call, 2))
    return call.binary(op_type, left, right)


def _logic(op_type: str) -> Emit:
    def emit(call: LayerCall) -> Value:
        left, right = (_as_bool(call, item) for item in call.inputs)
        return call.binary(op_type, left, right)

    return emit


def _over_bools(op_type: str) -> Emit:
    def emit(call: LayerCall) -> Value:
        return reduced(call, op_type, _as_bool(call, call.only))

    return emit


COMPARISONS = table(_COMPARISONS, _comparison)
LOGIC = table(_LOGIC, _logic)
REDUCTIONS = table(_REDUCTIONS, _over_bools)


@reads("ops.NotEqual", "tf.math.not_equal")
def not_equal(call: LayerCall) -> Value:
    return call.unary("Not", _compared(call, "Equal"))


@reads("ops.LogicalNot", "tf.math.logical_not")
def logical_not(call: LayerCall) -> Value:
    return call.unary("Not", _as_bool(call, call.only))


@reads("ops.Where", "tf.where")
def where(call: LayerCall) -> Value:
    """The second operand where the first is true, the third elsewhere."""
    names = ("condition", "x1", "x2", "x", "y")
    given = [*call.arguments, *(call.keywords[name] for name in names if name in call.keywords)]
    if len(given) != 3 or not isinstance(given[0], Value):
        raise call.unsupported("chooses by a condition that is not a tensor")
    condition = _as_bool(call, given[0])
    sides = [term(item) for item in given[1:]]
    dtype = next((side.dtype for side in sides if isinstance(side, Value)), "float32")
    branches = [
        side.plain if isinstance(side, Value) else call.constant(np.asarray(side, dtype), "otherwise") for side in sides
    ]
    return call.value(call.node("Where", condition.plain, *branches))


@reads("ops.ZerosLike", "tf.zeros_like")
def zeros_like(call: LayerCall) -> Value:
    """No number is greater than itself."""
    x = call.only
    nothing = call.binary("Greater", x, x) if x.dtype != "bool" else call.binary("Xor", x, x)
    return _cast(call, nothing, str(options(call).get("dtype") or x.dtype))


@reads("ops.OnesLike", "tf.ones_like")
def ones_like(call: LayerCall) -> Value:
    x = call.only
    everything = call.binary("Equal", x, x)
    return _cast(call, everything, str(options(call).get("dtype") or x.dtype))


def _as_bool(call: LayerCall, x: Value) -> Value:
    return _cast(call, x, "bool")


def _cast(call: LayerCall, x: Value, dtype: str) -> Value:
    if x.dtype == dtype:
        return x
    return call.unary("Cast", x, "cast", to=ir.DataType.from_numpy(np.dtype(dtype)).value)
