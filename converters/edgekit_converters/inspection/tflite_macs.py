"""Multiply-accumulates of TFLite ops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgekit_converters.inspection.macs import (
    convolution,
    matrix_product,
    recurrent,
    transposed_convolution,
)

Shape = tuple[int, ...]


def macs_of(op: str, options: Any, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    """0 for ops that multiply no weights. ``options``: the op's own, from the schema."""
    if op in ("CONV_2D", "CONV_3D"):
        # The filter is (O, H, W, I) in two dimensions, (D, H, W, I, O) in three.
        filter_shape = inputs[1][1:] if op == "CONV_2D" else inputs[1][:-1]
        return convolution(outputs[0], math.prod(filter_shape))
    if op == "DEPTHWISE_CONV_2D":
        return convolution(outputs[0], math.prod(inputs[1][1:3]))
    if op == "TRANSPOSE_CONV":
        return transposed_convolution(inputs[2], math.prod(inputs[1][:-1]))
    if op == "CONV_3D_TRANSPOSE":
        return transposed_convolution(inputs[2], math.prod(inputs[1][:-1]))
    if op == "FULLY_CONNECTED":
        return matrix_product(outputs[0], inputs[1][-1])
    if op == "BATCH_MATMUL":
        return matrix_product(outputs[0], inputs[0][-2] if options.adjX else inputs[0][-1])
    return _recurrent(op, inputs)


def _recurrent(op: str, inputs: Sequence[Shape]) -> int:
    """The state's weights are inputs 5 (LSTM, first gate) and 2 (plain); both list (units, ...)."""
    if op == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        return recurrent(math.prod(inputs[0][:-1]), 4, inputs[5][0], inputs[0][-1])
    if op == "UNIDIRECTIONAL_SEQUENCE_RNN":
        return recurrent(math.prod(inputs[0][:-1]), 1, inputs[2][0], inputs[0][-1])
    return 0
