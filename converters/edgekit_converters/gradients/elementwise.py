"""Gradients of operators on each element: the derivative, from operand and result, times what comes back."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit_converters.gradients.refusal import NoGradientError
from edgekit_converters.gradients.tape import Tape
from edgekit_converters.hub.edit import attribute, constant, scalar

Derivative = Callable[[Tape, ir.Node, ir.Value, ir.Value], ir.Value]
"""From the operand and the result."""


def unary(derivative: Derivative) -> Callable[[Tape, ir.Node], None]:
    """The rule of an operator with this derivative."""

    def rule(tape: Tape, node: ir.Node) -> None:
        x, y, gradient = node.inputs[0], node.outputs[0], tape.of_result(node)
        assert x is not None
        tape.give(x, tape.op("Mul", gradient, derivative(tape, node, x, y)))

    return rule


def passed_on(tape: Tape, node: ir.Node) -> None:
    """Identity and Dropout."""
    tape.give(node.inputs[0], tape.of_result(node))


def relu(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return _indicator(tape, tape.op("Greater", x, tape.constant(np.float32(0))))


def clip(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    """1 strictly inside the bounds."""
    conditions = []
    for index, comparison in ((1, "Greater"), (2, "Less")):
        bound = node.inputs[index] if len(node.inputs) > index else None
        if bound is not None:
            conditions.append(tape.op(comparison, x, bound))
    if not conditions:
        return tape.constant(np.float32(1))
    inside = conditions[0] if len(conditions) == 1 else tape.op("And", *conditions)
    return _indicator(tape, inside)


def leaky_relu(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    slope = np.float32(attribute(node, "alpha", 0.01))
    return _choice(tape, x, tape.constant(np.float32(1)), tape.constant(slope))


def elu(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    """Below 0 the result plus alpha."""
    below = tape.op("Add", y, tape.constant(np.float32(attribute(node, "alpha", 1.0))))
    return _choice(tape, x, tape.constant(np.float32(1)), below)


def selu(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    alpha, gamma = attribute(node, "alpha", 1.6732632), attribute(node, "gamma", 1.0507010)
    below = tape.op("Add", y, tape.constant(np.float32(alpha * gamma)))
    return _choice(tape, x, tape.constant(np.float32(gamma)), below)


def sigmoid(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.op("Mul", y, _one_minus(tape, y))


def tanh(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return _one_minus(tape, tape.op("Mul", y, y))


def hard_sigmoid(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return _times(tape, _strictly_between(tape, y, 0.0, 1.0), attribute(node, "alpha", 0.2))


def hard_swish(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    """0 below -3, 1 above 3, between them (2 x + 3) / 6."""
    three = tape.constant(np.float32(3))
    middle = tape.op("Add", _times(tape, x, 1 / 3), tape.constant(np.float32(0.5)))
    lower = tape.op("Where", tape.op("Greater", x, tape.op("Neg", three)), middle, tape.constant(np.float32(0)))
    return tape.op("Where", tape.op("Less", x, three), lower, tape.constant(np.float32(1)))


def softplus(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.op("Sigmoid", x)


def softsign(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    """The square of 1 - abs(y)."""
    left = _one_minus(tape, tape.op("Abs", y))
    return tape.op("Mul", left, left)


def swish(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    """With s = sigmoid(alpha x): s + alpha y (1 - s)."""
    alpha = attribute(node, "alpha", 1.0)
    inner = tape.op("Sigmoid", _times(tape, x, alpha))
    return tape.op("Add", inner, tape.op("Mul", _times(tape, y, alpha), _one_minus(tape, inner)))


def mish(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    """With t = tanh(softplus(x)): t + x (1 - t^2) sigmoid(x)."""
    inner = tape.op("Tanh", tape.op("Softplus", x))
    slope = tape.op("Mul", _one_minus(tape, tape.op("Mul", inner, inner)), tape.op("Sigmoid", x))
    return tape.op("Add", inner, tape.op("Mul", x, slope))


def erf(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    bell = tape.op("Exp", tape.op("Neg", tape.op("Mul", x, x)))
    return _times(tape, bell, 2 / math.sqrt(math.pi))


def gelu(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    """Of both forms the exact derivative."""
    return _tanh_gelu(tape, x) if attribute(node, "approximate", "none") == "tanh" else _exact_gelu(tape, x)


def _exact_gelu(tape: Tape, x: ir.Value) -> ir.Value:
    half = tape.constant(np.float32(0.5))
    below = tape.op("Add", _times(tape, tape.op("Erf", _times(tape, x, math.sqrt(0.5))), 0.5), half)
    bell = tape.op("Exp", _times(tape, tape.op("Mul", x, x), -0.5))
    return tape.op("Add", below, _times(tape, tape.op("Mul", x, bell), 1 / math.sqrt(2 * math.pi)))


def _tanh_gelu(tape: Tape, x: ir.Value) -> ir.Value:
    factor, cubic = math.sqrt(2 / math.pi), 0.044715
    square = tape.op("Mul", x, x)
    one = tape.constant(np.float32(1))
    inner = tape.op("Tanh", _times(tape, tape.op("Mul", x, tape.op("Add", _times(tape, square, cubic), one)), factor))
    slope = _times(tape, tape.op("Add", _times(tape, square, 3 * cubic), one), factor)
    curved = tape.op("Mul", tape.op("Mul", x, _one_minus(tape, tape.op("Mul", inner, inner))), slope)
    return _times(tape, tape.op("Add", tape.op("Add", inner, one), curved), 0.5)


def exponential(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return y


def logarithm(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.op("Reciprocal", x)


def square_root(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.op("Reciprocal", _times(tape, y, 2.0))


def reciprocal(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.op("Neg", tape.op("Mul", y, y))


def negative(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.constant(np.float32(-1))


def absolute(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.op("Sign", x)


def sine(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.op("Cos", x)


def cosine(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    return tape.op("Neg", tape.op("Sin", x))


def power(tape: Tape, node: ir.Node, x: ir.Value, y: ir.Value) -> ir.Value:
    exponent = scalar(node.inputs[1])
    if exponent is None:
        raise NoGradientError(node, "with an exponent that is no constant number")
    return _times(tape, tape.op("Pow", x, tape.constant(np.float32(exponent - 1))), exponent)


def p_relu(tape: Tape, node: ir.Node) -> None:
    x, gradient = node.inputs[0], tape.of_result(node)
    assert x is not None
    if constant(node.inputs[1]) is None:
        raise NoGradientError(node, "with computed slopes")
    tape.give(x, tape.op("Mul", gradient, _choice(tape, x, tape.constant(np.float32(1)), node.inputs[1])))


def _indicator(tape: Tape, condition: ir.Value) -> ir.Value:
    return tape.op("Cast", condition, to=int(ir.DataType.FLOAT))


def _choice(tape: Tape, x: ir.Value, above: ir.Value, below: ir.Value | None) -> ir.Value:
    """By whether x is greater than 0."""
    return tape.op("Where", tape.op("Greater", x, tape.constant(np.float32(0))), above, below)


def _strictly_between(tape: Tape, value: ir.Value, low: float, high: float) -> ir.Value:
    above = tape.op("Greater", value, tape.constant(np.float32(low)))
    return _indicator(tape, tape.op("And", above, tape.op("Less", value, tape.constant(np.float32(high)))))


def _one_minus(tape: Tape, value: ir.Value) -> ir.Value:
    return tape.op("Sub", tape.constant(np.float32(1)), value)


def _times(tape: Tape, value: ir.Value, factor: float) -> ir.Value:
    return tape.op("Mul", value, tape.constant(np.float32(factor)))
