"""The version an operator needs, as TFLite's own table (tools/versioning/op_version.cc) sets it from types and options.

A version that is set too low makes old runtimes load what they can't compute and answer garbage, instead of refusing.
"""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.flat_model import FlatOp, FlatTensor


def op_version(op: FlatOp) -> int:
    """The lowest version whose kernel computes ``op``."""
    special = _SPECIAL.get(op.builtin)
    if special is not None:
        return special(op)
    types = _types(op)
    for name, version in _BY_TYPE.get(op.builtin, ()):
        if types and types[0] == name:
            return version
    return 1


def _types(op: FlatOp) -> list[str]:
    return [tensor.dtype.name for tensor in op.inputs if tensor is not None]


_INT8_2 = (("int8", 2),)
_INT8_2_INT16_3 = (("int8", 2), ("int16", 3))
_BY_TYPE: dict[str, tuple[tuple[str, int], ...]] = {
    **dict.fromkeys(
        (
            "MAX_POOL_2D",
            "AVERAGE_POOL_2D",
            "CONCATENATION",
            "SOFTMAX",
            "MEAN",
            "MIRROR_PAD",
            "REDUCE_MAX",
            "REDUCE_MIN",
            "RELU6",
            "RSQRT",
            "LESS",
            "GREATER_EQUAL",
            "TANH",
            "LOGISTIC",
            "PACK",
            "TOPK_V2",
        ),
        _INT8_2_INT16_3,
    ),
    **dict.fromkeys(("EXP", "LOG", "REDUCE_PROD"), (("int8", 2), ("int16", 2))),
    **dict.fromkeys(
        (
            "SPACE_TO_DEPTH",
            "DEPTH_TO_SPACE",
            "SPLIT_V",
            "SUM",
            "LOG_SOFTMAX",
            "GREATER",
            "LESS_EQUAL",
            "SQUARED_DIFFERENCE",
            "L2_NORMALIZATION",
            "NOT_EQUAL",
        ),
        _INT8_2,
    ),
    "EQUAL": (("int8", 2), ("int16", 4)),
    "LEAKY_RELU": (("int16", 2),),
    "RELU": (("int8", 2), ("uint8", 2), ("int16", 3)),
    "GELU": (("int8", 2), ("uint8", 2)),
    "ARG_MAX": (("int8", 2), ("bool", 3)),
    "ARG_MIN": (("int8", 2), ("bool", 3)),
    "REVERSE_V2": (("int8", 3), ("bool", 2)),
    "TILE": (("int8", 3),),
    "UNPACK": (("int8", 2), ("uint8", 2), ("bool", 3), ("int16", 4)),
    "SIGN": (("int32", 2),),
    "FLOOR_DIV": (("float32", 2), ("int8", 3), ("int16", 3)),
    "FLOOR_MOD": (("int8", 2), ("int16", 2)),
    "RANGE": (("int64", 2),),
    "SELECT_V2": (("uint32", 2),),
    "GATHER_ND": (("int16", 3), ("bool", 5)),
}


def _conv_2d(op: FlatOp) -> int:
    data, weights = _pair(op)
    if data.shape[-1] != weights.shape[-1]:
        return 6  # grouped
    if data.is_int16:
        return 4
    return _int8_or_hybrid(data, weights, integer=3, hybrid=2, hybrid_per_channel=5)


def _depthwise_conv_2d(op: FlatOp) -> int:
    data, weights = _pair(op)
    dilated = op.options is not None and (
        op.options.number("dilationHFactor", 1) != 1 or op.options.number("dilationWFactor", 1) != 1
    )
    if data.is_int16:
        return 5
    lowest = 2 if dilated else 1
    return max(lowest, _int8_or_hybrid(data, weights, integer=3, hybrid=4, hybrid_per_channel=6))


def _int8_or_hybrid(
    data: FlatTensor, weights: FlatTensor, *, integer: int, hybrid: int, hybrid_per_channel: int
) -> int:
    if not weights.is_int8:
        return 1
    if data.is_int8:
        return integer
    return hybrid_per_channel if weights.is_per_channel else hybrid


def _fully_connected(op: FlatOp) -> int:
    data, weights = _pair(op)
    if weights.sparse is not None:
        return 8
    hybrid = data.is_float and weights.is_int8
    if hybrid and weights.is_per_channel:
        return 12
    if data.is_int16:
        return 7
    if len(op.inputs) == 2 or op.inputs[2] is None:
        return 6
    if op.options is not None and op.options.flag("keepNumDims"):
        return 5
    if data.is_int8 and weights.is_int8:
        return 4
    if hybrid:
        return 9 if op.options is not None and op.options.flag("asymmetricQuantizeInputs") else 3
    return 1


def _transpose_conv(op: FlatOp) -> int:
    if op.options is not None and op.options.number("fusedActivationFunction"):
        return 4
    if len(op.inputs) == 4:
        return 3
    weights = op.inputs[1]
    return 2 if weights is not None and weights.is_int8 else 1


def _batch_matmul(op: FlatOp) -> int:
    left, right = _pair(op)
    if left.is_int16:
        return 3
    if left.is_int8:
        return 2
    asymmetric = op.options is not None and op.options.flag("asymmetricQuantizeInputs")
    return 4 if right.is_int8 and asymmetric else 1


def _mul(op: FlatOp) -> int:
    left, right = _pair(op)
    if left.is_int16:
        return 4 if left.params is not None else 7
    if left.dtype == np.int64:
        return 5
    output = op.outputs[0]
    if left.params is not None and right.params is not None and output.params is not None:
        ratio = float(left.params.scale) * float(right.params.scale) / float(output.params.scale)
        if ratio >= 1.0:
            return 3
    return 2 if left.is_int8 else 1


def _add(op: FlatOp) -> int:
    left = _first(op)
    if left.is_int16:
        general = left.params is not None and op.options is not None and not op.options.flag("potScaleInt16", True)
        return 3 if general else 1 if left.params is not None else 5
    return {"int8": 2, "int64": 4}.get(left.dtype.name, 1)


def _abs(op: FlatOp) -> int:
    data = _first(op)
    if data.is_int16:
        return 3 if data.params is not None else 4
    return {"int8": 2, "uint8": 2, "int32": 5}.get(data.dtype.name, 1)


def _sub(op: FlatOp) -> int:
    if _first(op).is_int16 and op.options is not None and not op.options.flag("potScaleInt16", True):
        return 5
    return 4 if _pair(op)[0].dtype == np.int64 else _broadcast_over_4(op, broadcast=3)


def _maximum(op: FlatOp) -> int:
    if _first(op).is_int16:
        return 4
    return _broadcast_over_4(op, broadcast=3)


def _div(op: FlatOp) -> int:
    left, right = _pair(op)
    return 2 if left.shape != right.shape and max(left.rank, right.rank) > 4 else 1


def _broadcast_over_4(op: FlatOp, broadcast: int) -> int:
    left, right = _pair(op)
    if left.shape != right.shape and max(left.rank, right.rank) > 4:
        return broadcast
    return 2 if left.is_int8 else 1


def _transpose(op: FlatOp) -> int:
    data = _first(op)
    if data.rank > 5:
        return 6
    if data.is_int16:
        return 5
    if data.rank > 4:
        return 4
    return {"bool": 3, "int8": 2}.get(data.dtype.name, 1)


def _slice(op: FlatOp) -> int:
    data = _first(op)
    return 5 if data.rank > 4 else {"int8": 2, "int16": 4}.get(data.dtype.name, 1)


def _strided_slice(op: FlatOp) -> int:
    data = _first(op)
    if op.options is not None and (op.options.number("ellipsisMask") or op.options.number("newAxisMask")):
        return 6
    if data.rank > 4:
        return 4
    return {"bool": 3, "int8": 2}.get(data.dtype.name, 1)


def _pad(op: FlatOp) -> int:
    data = _first(op)
    return 4 if data.rank > 4 else {"int8": 2, "int16": 3}.get(data.dtype.name, 1)


def _gather(op: FlatOp) -> int:
    if op.options is not None and op.options.number("batchDims"):
        return 5
    return {"int16": 4, "bool": 3, "int8": 2}.get(_first(op).dtype.name, 1)


def _split(op: FlatOp) -> int:
    data = op.inputs[1]
    assert data is not None
    return {"int16": 4, "int32": 3, "int8": 2}.get(data.dtype.name, 1)


def _resize(op: FlatOp) -> int:
    if _first(op).is_int16:
        return 4
    if op.options is not None and (op.options.flag("halfPixelCenters") or _nearest_aligned(op)):
        return 3
    return 2 if _first(op).is_int8 else 1


def _nearest_aligned(op: FlatOp) -> bool:
    return op.builtin == "RESIZE_NEAREST_NEIGHBOR" and op.options is not None and op.options.flag("alignCorners")


def _batch_space(op: FlatOp) -> int:
    data = _first(op)
    if data.is_int16:
        return 4
    return 3 if data.rank != 4 else 2 if data.is_int8 else 1


def _dequantize(op: FlatOp) -> int:
    data = _first(op)
    if data.dtype in (np.int16, np.float16):
        return 3
    if data.is_int8:
        return 5 if data.is_per_channel else 2
    return 1


def _quantize(op: FlatOp) -> int:
    output = op.outputs[0]
    return 3 if output.is_per_channel else 2 if output.dtype == np.int16 else 1


def _fill(op: FlatOp) -> int:
    value = op.inputs[1]
    assert value is not None
    return {"float16": 4, "int8": 3, "int16": 3, "bool": 2}.get(value.dtype.name, 1)


def _broadcast_to(op: FlatOp) -> int:
    return 3 if _first(op).dtype in (np.int8, np.int16) else 2


def _cast(op: FlatOp) -> int:
    names = {_first(op).dtype.name, op.outputs[0].dtype.name}
    for version, types in ((5, {"float64", "float16"}), (4, {"uint16"}), (3, {"int8"}), (2, {"uint32"})):
        if names & types:
            return version
    return 1


def _where(op: FlatOp) -> int:
    return 1 if _first(op).dtype == np.bool_ else 2


def _pair(op: FlatOp) -> tuple[FlatTensor, FlatTensor]:
    first, second = op.inputs[0], op.inputs[1]
    assert first is not None
    assert second is not None
    return first, second


def _first(op: FlatOp) -> FlatTensor:
    first = op.inputs[0]
    assert first is not None
    return first


_SPECIAL = {
    "ABS": _abs,
    "ADD": _add,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transpose_conv,
    "BATCH_MATMUL": _batch_matmul,
    "MUL": _mul,
    "SUB": _sub,
    "MAXIMUM": _maximum,
    "MINIMUM": _maximum,
    "DIV": _div,
    "TRANSPOSE": _transpose,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "PAD": _pad,
    "PADV2": _pad,
    "GATHER": _gather,
    "SPLIT": _split,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SPACE_TO_BATCH_ND": _batch_space,
    "BATCH_TO_SPACE_ND": _batch_space,
    "DEQUANTIZE": _dequantize,
    "QUANTIZE": _quantize,
    "FILL": _fill,
    "BROADCAST_TO": _broadcast_to,
    "CAST": _cast,
    "WHERE": _where,
}
