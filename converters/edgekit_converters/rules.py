"""What quantizing needs to know of each ONNX op: one table, read by plan, writers, placement checks and docs.

An op that is absent stays float. Sources: the TFLite int8 quantization specification
(https://ai.google.dev/edge/litert/models/quantization_spec) for shared and fixed encodings; ONNX Runtime's QDQ selectors
(onnxruntime/core/optimizer/qdq_transformer) for the integer kernels.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Encoding(enum.Enum):
    """Where the encoding of an op's output comes from."""

    FREE = "free"
    """From the output's own calibrated range."""
    SHARED = "shared"
    """The data inputs and the outputs have one encoding, as the TFLite kernels require."""
    FIXED = "fixed"
    """Given by the specification."""


class Role(enum.Enum):
    """Why a node is worth computing on integers."""

    COMPUTE = "compute"
    """Multiply-accumulates on weights: integers pay by themselves."""
    ATTACHED = "attached"
    """Pays only beside another integer node: alone it would add a quantize and a dequantize and save nothing."""


@dataclass(frozen=True, slots=True)
class FixedEncoding:
    """An int8 encoding that the specification demands, and the scale beside zero point 0 that it demands of 16 bits."""

    scale: float
    zero_point: int
    wide_scale: float = 2.0**-15


@dataclass(frozen=True, slots=True)
class OpRule:
    """Facts of one op.

    ``data``: indices of the inputs that carry quantized activations; None means all. ``weight`` and ``bias``: input indices.
    ``fuses``: performs a clamp that follows it (by its output range, or TFLite's fused activation). ``tflite``: the builtin
    that computes it on int8. ``ort_kernel``: the integer kernel ONNX Runtime's CPU provider fuses Q/DQ into; "" when it
    computes in float between DQ and Q. ``integer_only``: integers cost more accuracy than they save time, so only files
    without float operators get it.
    """

    role: Role
    output: Encoding
    data: tuple[int, ...] | None = (0,)
    weight: int | None = None
    bias: int | None = None
    fuses: bool = False
    fixed: FixedEncoding | None = None
    tflite: str = ""
    ort_kernel: str = ""
    integer_only: bool = False

    def __post_init__(self) -> None:
        if (self.output is Encoding.FIXED) != (self.fixed is not None):
            raise ValueError("a fixed encoding belongs to Encoding.FIXED and to nothing else")

    def data_inputs(self, count: int) -> tuple[int, ...]:
        """Indices of the quantizable inputs of a node that has ``count`` inputs."""
        return tuple(range(count)) if self.data is None else tuple(index for index in self.data if index < count)


def _compute(tflite: str, ort_kernel: str) -> OpRule:
    return OpRule(Role.COMPUTE, Encoding.FREE, weight=1, bias=2, fuses=True, tflite=tflite, ort_kernel=ort_kernel)


def _free(tflite: str, ort_kernel: str = "", *, fuses: bool = False, data: tuple[int, ...] | None = (0,)) -> OpRule:
    return OpRule(Role.ATTACHED, Encoding.FREE, data=data, fuses=fuses, tflite=tflite, ort_kernel=ort_kernel)


def _wide(tflite: str, *, data: tuple[int, ...] | None = (0,)) -> OpRule:
    """An op that only files without float operators compute on integers, of 16 bits (`WIDE`)."""
    return OpRule(Role.ATTACHED, Encoding.FREE, data=data, tflite=tflite, integer_only=True)


def _shared(tflite: str, ort_kernel: str = "", *, data: tuple[int, ...] | None = (0,)) -> OpRule:
    return OpRule(Role.ATTACHED, Encoding.SHARED, data=data, tflite=tflite, ort_kernel=ort_kernel)


def _fixed(tflite: str, scale: float, zero_point: int, ort_kernel: str = "", *, integer_only: bool = False) -> OpRule:
    encoding = FixedEncoding(scale, zero_point)
    return OpRule(
        Role.ATTACHED,
        Encoding.FIXED,
        fixed=encoding,
        tflite=tflite,
        ort_kernel=ort_kernel,
        integer_only=integer_only,
    )


RULES: Mapping[str, OpRule] = {
    "Conv": _compute("CONV_2D / DEPTHWISE_CONV_2D", "QLinearConv"),
    "ConvTranspose": _compute("TRANSPOSE_CONV", ""),
    "Gemm": _compute("FULLY_CONNECTED", "QGemm"),
    "MatMul": OpRule(
        Role.COMPUTE, Encoding.FREE, weight=1, fuses=True, tflite="FULLY_CONNECTED", ort_kernel="QLinearMatMul"
    ),
    "Add": _free("ADD", "QLinearAdd", fuses=True, data=None),
    "Sub": _free("SUB", fuses=True, data=None),
    "Mul": _free("MUL", "QLinearMul", fuses=True, data=None),
    "GlobalAveragePool": _free("MEAN", "QLinearGlobalAveragePool"),
    "ReduceMean": _free("MEAN"),
    "ReduceSum": _free("SUM"),
    "Relu": _free("RELU"),
    "Clip": _free("RELU6 / MINIMUM + MAXIMUM"),
    "LeakyRelu": _free("LEAKY_RELU", "QLinearLeakyRelu"),
    "PRelu": _free("PRELU", data=None),
    "HardSwish": _free("HARD_SWISH"),
    "Elu": _free("ELU"),
    "Gelu": _free("GELU"),
    "Sigmoid": _fixed("LOGISTIC", 1 / 256, -128, "QLinearSigmoid"),
    "Tanh": _fixed("TANH", 1 / 128, 0),
    # In float a final softmax costs microseconds and keeps small probabilities apart.
    "Softmax": _fixed("SOFTMAX", 1 / 256, -128, "QLinearSoftmax", integer_only=True),
    "LogSoftmax": _fixed("LOG_SOFTMAX", 16 / 256, 127, integer_only=True),
    "Abs": _wide("ABS"),
    "Cast": OpRule(
        Role.ATTACHED, Encoding.FIXED, data=(), fixed=FixedEncoding(1.0, 0, 1.0), tflite="CAST", integer_only=True
    ),
    "Div": _wide("DIV", data=None),
    "Exp": _wide("EXP"),
    "Log": _wide("LOG"),
    "Neg": _wide("NEG"),
    "Pow": _wide("MUL / SQRT / RSQRT / DIV"),
    "Sqrt": _wide("SQRT"),
    "Where": OpRule(Role.ATTACHED, Encoding.SHARED, data=(1, 2), tflite="SELECT_V2", integer_only=True),
    "MaxPool": _shared("MAX_POOL_2D", "MaxPool"),
    "AveragePool": _shared("AVERAGE_POOL_2D", "QLinearAveragePool"),
    "GlobalMaxPool": _shared("REDUCE_MAX"),
    "ReduceMax": _shared("REDUCE_MAX"),
    "ReduceMin": _shared("REDUCE_MIN"),
    "Max": _shared("MAXIMUM", data=None),
    "Min": _shared("MINIMUM", data=None),
    "Concat": _shared("CONCATENATION", "QLinearConcat", data=None),
    "Split": _shared("SPLIT / SLICE", "Split"),
    "Slice": _shared("SLICE / STRIDED_SLICE"),
    "Pad": _shared("PAD / PADV2"),
    "Reshape": _shared("RESHAPE", "Reshape"),
    "Flatten": _shared("RESHAPE", "Flatten"),
    "Squeeze": _shared("RESHAPE", "Squeeze"),
    "Unsqueeze": _shared("RESHAPE", "Unsqueeze"),
    "Transpose": _shared("TRANSPOSE", "Transpose"),
    "Expand": _shared("BROADCAST_TO"),
    "Tile": _shared("TILE"),
    "Gather": _shared("GATHER", "Gather"),
    "Resize": _shared("RESIZE_NEAREST_NEIGHBOR / RESIZE_BILINEAR", "Resize"),
    "DepthToSpace": _shared("DEPTH_TO_SPACE"),
    "SpaceToDepth": _shared("SPACE_TO_DEPTH"),
}
"""By ONNX op type, default domain."""

PRODUCT = OpRule(Role.COMPUTE, Encoding.FREE, data=None, tflite="BATCH_MATMUL", integer_only=True)
"""A MatMul of two computed matrices."""

RECURRENT_RULE = OpRule(
    Role.COMPUTE, Encoding.FREE, data=(0, 5, 6), tflite="UNIDIRECTIONAL_SEQUENCE_LSTM", integer_only=True
)
"""A RNN, LSTM or GRU that computes on integers alone: the data and the initial states."""

WIDE = frozenset({"Cast", "Div", "Exp", "Log", "Pow", "Sqrt", "RNN", "GRU"})
"""Ops whose results 8 bits can't hold: in a file without float operators they compute on 16."""

NARROW = frozenset({"AveragePool", "DepthToSpace", "Elu", "HardSwish", "LogSoftmax", "PRelu", "Resize", "SpaceToDepth"})
"""Ops that have no TFLite kernel for 16-bit activations, or are written with one that has none."""

CLAMPS = ("Relu", "Clip")
"""Activations that only cut the range, so that the producer's output encoding can perform them."""

GATES: Mapping[str, int] = {"RNN": 1, "LSTM": 4, "GRU": 3}
"""Of recurrent layers."""

RECURRENT: Mapping[str, tuple[int, int]] = {"RNN": (1, 2), "LSTM": (1, 2), "GRU": (1, 2)}
"""Recurrent layers and their weights (of the input, of the state): int8, one scale a row; the activations are float and are
quantized per call where a runtime has a kernel for it. A cell state that is kept in 8 bits ruins the layer."""
