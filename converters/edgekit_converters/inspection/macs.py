"""Multiply-accumulates of one op from shapes: the same definitions for ONNX and TFLite, so that both files give one number.

A convolution multiplies each output element with one filter; a transposed one each input element; a matrix product sums
over the shared dimension for each output element. Elementwise ops, poolings and reductions count as none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Dims = Sequence[int]


def convolution(output: Dims, filter_elements: int) -> int:
    """``filter_elements``: input channels of a group times the kernel's size."""
    return math.prod(output) * filter_elements


def transposed_convolution(data: Dims, filter_elements: int) -> int:
    """``filter_elements``: output channels of a group times the kernel's size."""
    return math.prod(data) * filter_elements


def matrix_product(output: Dims, shared: int) -> int:
    return math.prod(output) * shared


def recurrent(steps: int, gates: int, units: int, inputs: int, directions: int = 1) -> int:
    """``steps``: time steps times batch; ``gates``: 4 for LSTM, 3 for GRU, 1 for a plain recurrent layer."""
    return steps * directions * gates * units * (inputs + units)
