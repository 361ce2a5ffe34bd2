"""Functions of one tensor, element by element."""

from __future__ import annotations

import math

import numpy as np

from edgekit_converters.writers.tflite.data_movement import broadcast
from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import emit, read_computable
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape

_INTEGER_BUILTINS = {"Abs": "ABS", "Neg": "NEG", "Sqrt": "SQRT", "Exp": "EXP", "Log": "LOG"}
_BUILTINS = {
    "Sin": "SIN",
    "Cos": "COS",
    "Floor": "FLOOR",
    "Ceil": "CEIL",
    "Round": "ROUND",
    "Sign": "SIGN",
    "Not": "LOGICAL_NOT",
}


@lowers(*_INTEGER_BUILTINS, int8=True)
def unary_in_integers(node: HubNode, out: FlatGraph) -> None:
    """The builtin of the same meaning, on float or on 16-bit integers."""
    emit(node, out, _INTEGER_BUILTINS[node.op], (read_computable(node, out, 0),), out.layout(node))


@lowers(*_BUILTINS)
def unary(node: HubNode, out: FlatGraph) -> None:
    """The builtin of the same meaning; Round rounds halves to even in both."""
    emit(node, out, _BUILTINS[node.op], (read_computable(node, out, 0),), out.layout(node))


@lowers("Reciprocal")
def reciprocal(node: HubNode, out: FlatGraph) -> None:
    _divide(node, out, out.tape.constant(1.0), read_computable(node, out, 0))


@lowers("Erf")
def erf(node: HubNode, out: FlatGraph) -> None:
    """From the exact GELU kernel, gelu(z) = z/2 (1 + erf(z / sqrt 2)): erf(x) = 2 gelu(z) / z - 1 with z = sqrt(2) x.

    The absolute error is at most 2e-7 (the relative one grows near 0). z is kept within 10, where erf is 1 in float32,
    and off 0 by a number that changes no other z.
    """
    tape = out.tape
    scaled = _multiply(tape, read_computable(node, out, 0), math.sqrt(2.0))
    clamped = tape.compute("MAXIMUM", tape.compute("MINIMUM", scaled, tape.constant(10.0)), tape.constant(-10.0))
    z = _add(tape, clamped, tape.constant(1e-20))
    halves = tape.compute("DIV", tape.compute("GELU", z, builtin_options=options("GeluOptions")), z)
    doubled = _multiply(tape, halves, 2.0)
    emit(node, out, "SUB", (doubled, tape.constant(1.0)), out.layout(node), options("SubOptions"))


@lowers("Tan")
def tangent(node: HubNode, out: FlatGraph) -> None:
    x = read_computable(node, out, 0)
    _divide(node, out, out.tape.compute("SIN", x), out.tape.compute("COS", x))


@lowers("Atan")
def arc_tangent(node: HubNode, out: FlatGraph) -> None:
    x = read_computable(node, out, 0)
    # The kernel does not broadcast, and reads beyond a smaller operand.
    ones = broadcast(out.tape, out.tape.constant(np.ones((1,) * x.rank, np.float32)), x.shape)
    _atan2(node, out, x, ones)


@lowers("Asin")
def arc_sine(node: HubNode, out: FlatGraph) -> None:
    x = read_computable(node, out, 0)
    _atan2(node, out, x, _other_leg(out.tape, x))


@lowers("Acos")
def arc_cosine(node: HubNode, out: FlatGraph) -> None:
    x = read_computable(node, out, 0)
    _atan2(node, out, _other_leg(out.tape, x), x)


@lowers("Sinh", "Cosh")
def hyperbolic(node: HubNode, out: FlatGraph) -> None:
    """(exp(x) -+ exp(-x)) / 2: exact to float32 rounding of the exponentials."""
    tape, x = out.tape, read_computable(node, out, 0)
    rising, falling = tape.compute("EXP", x), tape.compute("EXP", tape.compute("NEG", x))
    builtin = "SUB" if node.op == "Sinh" else "ADD"
    joined = tape.compute(builtin, rising, falling, builtin_options=options(f"{builtin.capitalize()}Options"))
    emit(node, out, "MUL", (joined, tape.constant(0.5)), out.layout(node), options("MulOptions"))


@lowers("Asinh")
def area_sine(node: HubNode, out: FlatGraph) -> None:
    """sign(x) ln(|x| + sqrt(x^2 + 1)): by the magnitude, since the sum cancels for negative x."""
    tape, x = out.tape, read_computable(node, out, 0)
    size = tape.compute("ABS", x)
    root = tape.compute("SQRT", _add(tape, tape.compute("SQUARE", x), tape.constant(1.0)))
    magnitude = tape.compute("LOG", _add(tape, size, root))
    emit(node, out, "MUL", (tape.compute("SIGN", x), magnitude), out.layout(node), options("MulOptions"))


@lowers("Acosh")
def area_cosine(node: HubNode, out: FlatGraph) -> None:
    """ln(x + sqrt((x - 1)(x + 1)))."""
    tape, x = out.tape, read_computable(node, out, 0)
    product = _product(tape, _add(tape, x, tape.constant(-1.0)), _add(tape, x, tape.constant(1.0)))
    emit(node, out, "LOG", (_add(tape, x, tape.compute("SQRT", product)),), out.layout(node))


@lowers("Atanh")
def area_tangent(node: HubNode, out: FlatGraph) -> None:
    """ln((1 + x) / (1 - x)) / 2."""
    tape, x = out.tape, read_computable(node, out, 0)
    above = _add(tape, x, tape.constant(1.0))
    below = tape.compute("SUB", tape.constant(1.0), x, builtin_options=options("SubOptions"))
    ratio = tape.compute("DIV", above, below, builtin_options=options("DivOptions"))
    emit(node, out, "MUL", (tape.compute("LOG", ratio), tape.constant(0.5)), out.layout(node), options("MulOptions"))


@lowers("Shrink")
def shrink(node: HubNode, out: FlatGraph) -> None:
    """x - sign(x) bias where |x| exceeds lambda, 0 elsewhere."""
    tape, x = out.tape, read_computable(node, out, 0)
    bound, bias = tape.constant(node.number("lambd", 0.5)), tape.constant(node.number("bias", 0.0))
    beyond = tape.compute("GREATER", tape.compute("ABS", x), bound, dtype=np.bool_)
    moved = tape.compute("SUB", x, _product(tape, tape.compute("SIGN", x), bias), builtin_options=options("SubOptions"))
    inputs = beyond, moved, tape.constant(0.0)
    out.tape.add("SELECT_V2", inputs, out.output(node, out.layout(node)), options("SelectV2Options"))


def _divide(node: HubNode, out: FlatGraph, left: FlatTensor, right: FlatTensor) -> None:
    emit(node, out, "DIV", (left, right), out.layout(node), options("DivOptions"))


def _atan2(node: HubNode, out: FlatGraph, opposite: FlatTensor, adjacent: FlatTensor) -> None:
    emit(node, out, "ATAN2", (opposite, adjacent), out.layout(node))


def _other_leg(tape: Tape, x: FlatTensor) -> FlatTensor:
    """sqrt(1 - x^2), factored so that it keeps its digits near 1."""
    below = tape.compute("SUB", tape.constant(1.0), x, builtin_options=options("SubOptions"))
    return tape.compute("SQRT", _product(tape, below, _add(tape, x, tape.constant(1.0))))


def _add(tape: Tape, left: FlatTensor, right: FlatTensor) -> FlatTensor:
    return tape.compute("ADD", left, right, builtin_options=options("AddOptions"))


def _product(tape: Tape, left: FlatTensor, right: FlatTensor) -> FlatTensor:
    return tape.compute("MUL", left, right, builtin_options=options("MulOptions"))


def _multiply(tape: Tape, tensor: FlatTensor, factor: float) -> FlatTensor:
    return _product(tape, tensor, tape.constant(factor))
