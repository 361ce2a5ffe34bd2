"""Gradients of operators that combine operands element by element, with broadcasting."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.gradients.tape import Tape


def addition(tape: Tape, node: ir.Node) -> None:
    """Add and Sum."""
    gradient = tape.of_result(node)
    for value in node.inputs:
        if value is not None and tape.needs(value):
            tape.give(value, tape.summed_to(gradient, value))


def mean(tape: Tape, node: ir.Node) -> None:
    part = tape.op("Div", tape.of_result(node), tape.constant(float(len(node.inputs))))
    for value in node.inputs:
        if value is not None and tape.needs(value):
            tape.give(value, tape.summed_to(part, value))


def subtraction(tape: Tape, node: ir.Node) -> None:
    one, other = _two(node)
    gradient = tape.of_result(node)
    if tape.needs(one):
        tape.give(one, tape.summed_to(gradient, one))
    if tape.needs(other):
        tape.give(other, tape.summed_to(tape.op("Neg", gradient), other))


def product(tape: Tape, node: ir.Node) -> None:
    gradient, pair = tape.of_result(node), _two(node)
    for own, other in (pair, pair[::-1]):
        if tape.needs(own):
            tape.give(own, tape.summed_to(tape.op("Mul", gradient, other), own))


def quotient(tape: Tape, node: ir.Node) -> None:
    above, below = _two(node)
    part = tape.op("Div", tape.of_result(node), below)
    if tape.needs(above):
        tape.give(above, tape.summed_to(part, above))
    if tape.needs(below):
        tape.give(below, tape.summed_to(tape.op("Neg", tape.op("Mul", part, node.outputs[0])), below))


def extreme(tape: Tape, node: ir.Node) -> None:
    """Max and Min: to the operands that are the result; where several are, to each of them all of it."""
    gradient = tape.of_result(node)
    for value in node.inputs:
        if value is not None and tape.needs(value):
            chosen = tape.masked(tape.op("Equal", value, node.outputs[0]), gradient)
            tape.give(value, tape.summed_to(chosen, value))


def where(tape: Tape, node: ir.Node) -> None:
    condition, one, other = node.inputs
    assert condition is not None
    gradient = tape.of_result(node)
    for value, chosen in ((one, condition), (other, None)):
        if value is not None and tape.needs(value):
            chosen = tape.op("Not", condition) if chosen is None else chosen
            tape.give(value, tape.summed_to(tape.masked(chosen, gradient), value))


def _two(node: ir.Node) -> tuple[ir.Value, ir.Value]:
    one, other = node.inputs
    assert one is not None
    assert other is not None
    return one, other
