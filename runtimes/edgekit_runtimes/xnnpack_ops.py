"""What XNNPACK computes, and so why it left an op to the interpreter; it gives no reasons itself.

From tflite/delegates/xnnpack/README.md of LiteRT and the operators that its delegate registers (xnnpack_delegate.cc).
"""

from __future__ import annotations


def why_not_xnnpack(op: str, kernel: str, *, integer: bool) -> str:
    """The reason for an op with the types ``kernel`` ("int8 -> int8") that XNNPACK was offered and did not take."""
    types = kernel.replace(" -> ", " x ").split(" x ")
    other = sorted({name for name in types if name not in _COMPUTED})
    if op not in _FLOAT | _INTEGER:
        return f"XNNPACK has no {op}"
    if other:
        return f"XNNPACK computes no {other[0]}"
    if integer and op not in _INTEGER:
        return f"XNNPACK computes {op} in float32 only"
    if not integer and op not in _FLOAT:
        return f"XNNPACK computes {op} on 8-bit integers only"
    if op in _CONDITIONS:
        return f"XNNPACK takes {op} only with {_CONDITIONS[op]}"
    return f"XNNPACK computes {op}, but not with these shapes, constants or options"


_COMPUTED = frozenset({"float32", "int8", "uint8"})

_INTEGER = frozenset(
    """
    ADD CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE ELU EXPAND_DIMS
    FULLY_CONNECTED LEAKY_RELU LOGISTIC MAX_POOL_2D MEAN MUL PAD QUANTIZE RESHAPE RESIZE_BILINEAR SLICE
    SPACE_TO_DEPTH SPLIT SQUEEZE STRIDED_SLICE SUB TANH TRANSPOSE TRANSPOSE_CONV
    """.split()  # noqa: SIM905  # a list of one a line would be longer than the rest of the file
)

_FLOAT = frozenset(
    """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CEIL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D DEPTH_TO_SPACE
    DEQUANTIZE DIV ELU EXP EXPAND_DIMS FLOOR FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC
    MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD PRELU QUANTIZE RELU RELU6 RELU_N1_TO_1 RESHAPE
    RESIZE_BILINEAR ROUND RSQRT SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQRT SQUARE SQUARED_DIFFERENCE
    SQUEEZE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
    """.split()  # noqa: SIM905  # a list of one a line would be longer than the rest of the file
)

_CONDITIONS = {
    "CONCATENATION": "two to five inputs",
    "MEAN": "constant axes, and on 8-bit integers over the height and width of a 4-D tensor",
    "SPLIT": "two to four outputs",
    "STRIDED_SLICE": "constant ends and strides of 1",
    "SLICE": "a constant beginning and size",
    "PAD": "constant amounts that are not negative",
    "TRANSPOSE_CONV": "constant weights, bias and output size",
    "CONV_2D": "constant weights and a bias",
    "DEPTHWISE_CONV_2D": "constant weights and a bias",
    "LEAKY_RELU": "a slope and scales whose ratio is between 1/256 and 128",
}
