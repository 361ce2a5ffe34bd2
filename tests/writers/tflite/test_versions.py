"""Operator versions: those of TFLite's own table (tools/versioning/op_version.cc)."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor
from edgekit_converters.writers.tflite.flat_model import BuiltinOptions, FlatOp, FlatTensor, options
from edgekit_converters.writers.tflite.versions import op_version

PER_CHANNEL = QuantParams(np.full(4, 0.1, np.float32), np.zeros(4, np.int32), QuantType.INT8, 0)


def real(*shape: int) -> FlatTensor:
    return FlatTensor("real", np.dtype(np.float32), shape)


def int8(*shape: int, scale: float = 0.1) -> FlatTensor:
    return FlatTensor("int8", np.dtype(np.int8), shape, per_tensor(scale, 0))


def int16(*shape: int) -> FlatTensor:
    return FlatTensor("int16", np.dtype(np.int16), shape, per_tensor(0.001, 0, QuantType.INT16))


def weights(*shape: int) -> FlatTensor:
    return FlatTensor("weights", np.dtype(np.int8), shape, PER_CHANNEL)


KEEP = options("FullyConnectedOptions", keepNumDims=True)
ASYMMETRIC = options("FullyConnectedOptions", asymmetricQuantizeInputs=True)


@pytest.mark.parametrize(
    ("builtin", "inputs", "output", "builtin_options", "version"),
    [
        ("FULLY_CONNECTED", (int16(1, 8), weights(4, 8)), int16(1, 4), None, 7),
        ("CONV_2D", (int16(1, 8, 8, 4), weights(4, 3, 3, 4)), int16(1, 8, 8, 4), None, 4),
        ("ADD", (int16(1, 8), int16(1, 8)), int16(1, 8), options("AddOptions", potScaleInt16=False), 3),
        ("SUB", (int16(1, 8), int16(1, 8)), int16(1, 8), options("SubOptions", potScaleInt16=False), 5),
        ("MUL", (int16(1, 8), int16(1, 8)), int16(1, 8), None, 4),
        ("BATCH_MATMUL", (int16(1, 4, 8), int16(1, 8, 4)), int16(1, 4, 4), None, 3),
        ("SOFTMAX", (int16(1, 8),), int16(1, 8), None, 3),
        ("RSQRT", (int16(1, 8),), int16(1, 8), None, 3),
        ("TRANSPOSE", (int16(1, 8),), int16(8, 1), None, 5),
        ("SLICE", (int16(1, 8),), int16(1, 4), None, 4),
        ("CONV_2D", (real(1, 8, 8, 4), real(4, 3, 3, 4)), real(1, 8, 8, 4), None, 1),
        ("CONV_2D", (int8(1, 8, 8, 4), weights(4, 3, 3, 4)), int8(1, 8, 8, 4), None, 3),
        ("CONV_2D", (real(1, 8, 8, 4), weights(4, 3, 3, 4)), real(1, 8, 8, 4), None, 5),
        ("CONV_2D", (int8(1, 8, 8, 4), weights(4, 3, 3, 2)), int8(1, 8, 8, 4), None, 6),
        ("DEPTHWISE_CONV_2D", (int8(1, 8, 8, 4), weights(1, 3, 3, 4)), int8(1, 8, 8, 4), None, 3),
        (
            "DEPTHWISE_CONV_2D",
            (real(1, 8, 8, 4), real(1, 3, 3, 4)),
            real(1, 8, 8, 4),
            options("DepthwiseConv2DOptions", dilationHFactor=2),
            2,
        ),
        ("FULLY_CONNECTED", (real(1, 8), real(4, 8), real(4)), real(1, 4), None, 1),
        ("FULLY_CONNECTED", (int8(1, 8), weights(4, 8), int8(4)), int8(1, 4), None, 4),
        ("FULLY_CONNECTED", (int8(1, 8), weights(4, 8), int8(4)), int8(1, 4), KEEP, 5),
        ("FULLY_CONNECTED", (int8(1, 8), weights(4, 8)), int8(1, 4), None, 6),
        ("FULLY_CONNECTED", (real(1, 8), int8(4, 8), real(4)), real(1, 4), ASYMMETRIC, 9),
        ("FULLY_CONNECTED", (real(1, 8), weights(4, 8), real(4)), real(1, 4), ASYMMETRIC, 12),
        ("MUL", (int8(4), int8(4)), int8(4, scale=0.1), None, 2),
        ("MUL", (int8(4, scale=1.0), int8(4, scale=1.0)), int8(4, scale=0.5), None, 3),
        ("SUB", (real(1, 2, 3, 4, 5), real(5)), real(1, 2, 3, 4, 5), None, 3),
        ("TRANSPOSE", (int8(1, 2, 3, 4, 5),), int8(1, 2, 3, 4, 5), None, 4),
        ("DEQUANTIZE", (weights(4, 8),), real(4, 8), None, 5),
        ("DEQUANTIZE", (FlatTensor("half", np.dtype(np.float16), (4,)),), real(4), None, 3),
        ("MAX_POOL_2D", (int8(1, 8, 8, 4),), int8(1, 4, 4, 4), None, 2),
        ("RESHAPE", (int8(1, 8),), int8(8), None, 1),
    ],
)
def test_the_version_is_the_lowest_that_computes_the_operator(
    builtin: str,
    inputs: tuple[FlatTensor, ...],
    output: FlatTensor,
    builtin_options: BuiltinOptions | None,
    version: int,
) -> None:
    assert op_version(FlatOp(builtin, inputs, (output,), builtin_options)) == version
