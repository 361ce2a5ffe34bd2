"""Comparisons, logic, bits and the choice between two tensors."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.data_movement import broadcast
from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation, permuted
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import emit, read_computable, read_movable
from edgekit_converters.writers.tflite.sharing import require_shared_encoding
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape

_BUILTINS = {
    "Equal": "EQUAL",
    "Greater": "GREATER",
    "GreaterOrEqual": "GREATER_EQUAL",
    "Less": "LESS",
    "LessOrEqual": "LESS_EQUAL",
    "And": "LOGICAL_AND",
    "Or": "LOGICAL_OR",
    "Xor": "NOT_EQUAL",
    "BitwiseXor": "BITWISE_XOR",
}


@lowers(*_BUILTINS)
def compare(node: HubNode, out: FlatGraph) -> None:
    """The builtin of the same meaning; Xor of two masks is their inequality."""
    layout = out.common_layout(node)
    emit(node, out, _BUILTINS[node.op], [read_computable(node, out, index, layout) for index in range(2)], layout)


@lowers("Where", int8=True)
def where(node: HubNode, out: FlatGraph) -> None:
    require_shared_encoding(node, out, (1, 2))
    layout = out.common_layout(node)
    inputs = [read_movable(node, out, index, layout) for index in range(3)]
    out.tape.add("SELECT_V2", inputs, out.output(node, layout), options("SelectV2Options"))


@lowers("IsNaN")
def is_nan(node: HubNode, out: FlatGraph) -> None:
    """Only NaN differs from itself."""
    x = read_computable(node, out, 0)
    emit(node, out, "NOT_EQUAL", (x, x), out.layout(node))


@lowers("IsInf")
def is_infinite(node: HubNode, out: FlatGraph) -> None:
    x = read_computable(node, out, 0)
    positive, negative = node.integer("detect_positive", 1), node.integer("detect_negative", 1)
    if positive and negative:
        x = out.tape.compute("ABS", x)
    infinity = np.inf if positive else -np.inf if negative else np.nan
    emit(node, out, "EQUAL", (x, out.tape.constant(infinity)), out.layout(node))


@lowers("BitwiseNot")
def bitwise_not(node: HubNode, out: FlatGraph) -> None:
    x = read_computable(node, out, 0)
    emit(node, out, "BITWISE_XOR", (x, _ones(out.tape)), out.layout(node))


@lowers("BitwiseAnd")
def bitwise_and(node: HubNode, out: FlatGraph) -> None:
    layout = out.common_layout(node)
    emit(node, out, "STABLEHLO_AND", [_broadcast(node, out, index, layout) for index in range(2)], layout)


@lowers("BitwiseOr")
def bitwise_or(node: HubNode, out: FlatGraph) -> None:
    """a | b is not (not a and not b)."""
    layout, tape = out.common_layout(node), out.tape
    inputs = [tape.compute("BITWISE_XOR", _broadcast(node, out, index, layout), _ones(tape)) for index in range(2)]
    emit(node, out, "BITWISE_XOR", (tape.compute("STABLEHLO_AND", *inputs), _ones(tape)), layout)


@lowers("BitShift")
def bit_shift(node: HubNode, out: FlatGraph) -> None:
    """RIGHT_SHIFT, or a multiplication by a power of 2, as int32; 16 bits or more shift everything out."""
    if node.dtype() not in (np.uint8, np.uint16):
        raise node.unsupported(f"only uint8 and uint16 can be shifted, not {node.dtype().name}")
    layout, tape = out.common_layout(node), out.tape
    x, amount = (read_computable(node, out, index, layout) for index in range(2))
    bits = tape.compute("MINIMUM", amount, tape.constant(np.int32(16)))
    if node.text("direction", "LEFT") == "RIGHT":
        emit(node, out, "RIGHT_SHIFT", (x, bits), layout)
        return
    factor = tape.compute("POW", tape.constant(np.full(bits.shape, 2, np.int32)), bits)
    emit(node, out, "MUL", (x, factor), layout, options("MulOptions"))


def _broadcast(node: HubNode, out: FlatGraph, index: int, layout: Permutation) -> FlatTensor:
    """An input in the output's shape, since the kernel does not broadcast."""
    x = read_computable(node, out, index, layout)
    return broadcast(out.tape, x, permuted(node.output_shape(), layout))


def _ones(tape: Tape) -> FlatTensor:
    return tape.constant(np.array(-1, np.int32), name="all_bits")
