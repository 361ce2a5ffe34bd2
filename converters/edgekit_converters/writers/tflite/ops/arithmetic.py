"""Arithmetic on two or more tensors, broadcast over one another."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from edgekit_converters.quantize.params import QuantType, per_tensor
from edgekit_converters.writers.tflite.flat_model import FlatTensor, arithmetic_options, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import emit, read_computable
from edgekit_converters.writers.tflite.sharing import require_shared_encoding
from edgekit_converters.writers.tflite.signs import is_nonnegative
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape

_BUILTINS = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL"}
_ONE = per_tensor(2.0**-14, 0, QuantType.INT16)
"""An encoding that holds 1 exactly."""
_EXTREMES = {"Max": "MAXIMUM", "Min": "MINIMUM"}
_OPTION_TABLES = {"Add": "AddOptions", "Sub": "SubOptions", "Mul": "MulOptions", "Div": "DivOptions"}


@lowers("Add", "Sub", "Mul", int8=True)
def add_sub_mul(node: HubNode, out: FlatGraph) -> None:
    """ADD, SUB, MUL with the activation that the plan fuses; int8 rescales each operand on its own."""
    layout = out.common_layout(node)
    inputs = [read_computable(node, out, index, layout) for index in range(2)]
    if inputs[0].is_float or inputs[0].params is not None:
        output, fused = out.fused_output(node, layout)
        table = arithmetic_options(_BUILTINS[node.op], output, fused.code)
        out.tape.add(_BUILTINS[node.op], inputs, output, table)
    else:
        emit(node, out, _BUILTINS[node.op], inputs, layout, options(_OPTION_TABLES[node.op]))


@lowers("Div", int8=True)
def divide(node: HubNode, out: FlatGraph) -> None:
    """DIV. On integers a divisor that can't be negative is kept off 0, which ends the kernel with an error."""
    layout = out.common_layout(node)
    left, right = (read_computable(node, out, index, layout) for index in range(2))
    if right.params is not None and is_nonnegative(node.value(1)):
        step = out.tape.constant(np.ones((), right.dtype), right.params, "step")
        right = out.tape.compute("MAXIMUM", right, step)
    emit(node, out, "DIV", (left, right), layout, options("DivOptions"))


@lowers("Max", "Min", int8=True)
def extreme(node: HubNode, out: FlatGraph) -> None:
    require_shared_encoding(node, out, range(node.input_count))
    layout = out.common_layout(node)
    inputs = [read_computable(node, out, index, layout) for index in range(node.input_count)]
    if len(inputs) == 1:
        out.alias(node)
        return
    builtin = _EXTREMES[node.op]
    first = reduce(lambda left, right: out.tape.compute(builtin, left, right), inputs[:-1])
    emit(node, out, builtin, (first, inputs[-1]), layout)


@lowers("Sum")
def total(node: HubNode, out: FlatGraph) -> None:
    """A chain of ADD."""
    layout = out.common_layout(node)
    inputs = [read_computable(node, out, index, layout) for index in range(node.input_count)]
    if len(inputs) == 1:
        out.alias(node)
        return
    emit(node, out, "ADD", (_added(out.tape, inputs[:-1]), inputs[-1]), layout, options("AddOptions"))


@lowers("Mean")
def mean(node: HubNode, out: FlatGraph) -> None:
    """A chain of ADD, times one over the number of inputs."""
    layout = out.common_layout(node)
    inputs = [read_computable(node, out, index, layout) for index in range(node.input_count)]
    share = out.tape.constant(np.float32(1 / len(inputs)))
    emit(node, out, "MUL", (_added(out.tape, inputs), share), layout, options("MulOptions"))


def _added(tape: Tape, inputs: list[FlatTensor]) -> FlatTensor:
    return reduce(lambda left, right: tape.compute("ADD", left, right, builtin_options=options("AddOptions")), inputs)


@lowers("Pow", int8=True)
def power(node: HubNode, out: FlatGraph) -> None:
    """POW; the constant exponents 2, 1/2, -1/2 and -1 become the exact and faster operator."""
    layout = out.common_layout(node)
    base = read_computable(node, out, 0, layout)
    exponent = node.constant(1)
    special = _EXPONENTS.get(float(exponent.reshape(-1)[0])) if exponent is not None and exponent.size == 1 else None
    if special is not None and (base.is_float or base.params is not None):
        special(node, out, base, layout)
        return
    power_of = out.tape.cast(read_computable(node, out, 1, layout), base.dtype)
    if base.dtype == np.int32 and exponent is not None and ((exponent < 0).any() or (exponent % 1 != 0).any()):
        raise node.unsupported("integer powers need whole exponents of 0 or more; cast the base to float32")
    emit(node, out, "POW", (base, power_of), layout, options("PowOptions"))


def _square(node: HubNode, out: FlatGraph, base: FlatTensor, layout: Permutation) -> None:
    emit(node, out, "MUL", (base, base), layout, options("MulOptions"))


def _square_root(node: HubNode, out: FlatGraph, base: FlatTensor, layout: Permutation) -> None:
    emit(node, out, "SQRT", (base,), layout)


def _inverse_root(node: HubNode, out: FlatGraph, base: FlatTensor, layout: Permutation) -> None:
    emit(node, out, "RSQRT", (base,), layout)


def _inverse(node: HubNode, out: FlatGraph, base: FlatTensor, layout: Permutation) -> None:
    one = out.tape.constant(1.0) if base.params is None else out.tape.constant(_ONE.quantize(np.ones(1)), _ONE)
    emit(node, out, "DIV", (one, base), layout, options("DivOptions"))


_Special = Callable[[HubNode, FlatGraph, FlatTensor, Permutation], None]
_EXPONENTS: dict[float, _Special] = {2.0: _square, 0.5: _square_root, -0.5: _inverse_root, -1.0: _inverse}


@lowers("Mod")
def modulo(node: HubNode, out: FlatGraph) -> None:
    """FLOOR_MOD takes the divisor's sign, as Mod does; with fmod=1 the sign is the dividend's:
    sign(x) * (|x| mod |y|), which is exact."""
    layout = out.common_layout(node)
    left, right = (read_computable(node, out, index, layout) for index in range(2))
    if not node.integer("fmod", 0):
        emit(node, out, "FLOOR_MOD", (left, right), layout, options("FloorModOptions"))
        return
    tape = out.tape
    magnitudes = tape.compute("ABS", left), tape.compute("ABS", right)
    rest = tape.compute("FLOOR_MOD", *magnitudes, builtin_options=options("FloorModOptions"))
    emit(node, out, "MUL", (rest, tape.compute("SIGN", left)), layout, options("MulOptions"))
