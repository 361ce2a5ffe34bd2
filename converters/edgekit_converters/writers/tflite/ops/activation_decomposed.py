"""Activation functions made of several operators, in float as a rule."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.activations import FusedActivation
from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape


@lowers("Elu", int8=True)
def elu(node: HubNode, out: FlatGraph) -> None:
    """ELU, in int8 by its table; with an alpha other than 1 in float."""
    alpha, layout = node.number("alpha", 1.0), out.layout(node)
    if alpha == 1.0:
        out.tape.add("ELU", (out.read(node, 0, layout),), out.output(node, layout))
    else:
        data = out.read_float(node, 0, layout)
        out.bind(node, _scaled_elu(out.tape, data, positive=1.0, negative=alpha), layout)


@lowers("Selu")
def selu(node: HubNode, out: FlatGraph) -> None:
    alpha, gamma = node.number("alpha", 1.6732632), node.number("gamma", 1.050701)
    layout = out.layout(node)
    data = out.read(node, 0, layout)
    out.bind(node, _scaled_elu(out.tape, data, positive=gamma, negative=gamma * alpha), layout)


@lowers("Celu")
def celu(node: HubNode, out: FlatGraph) -> None:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))"""
    alpha, tape, layout = node.number("alpha", 1.0), out.tape, out.layout(node)
    data = out.read(node, 0, layout)
    below = tape.compute("MUL", tape.compute("MINIMUM", data, tape.constant(0.0)), tape.constant(1.0 / alpha))
    curve = tape.compute("MUL", tape.compute("ELU", below), tape.constant(alpha))
    out.bind(node, tape.compute("ADD", tape.compute("RELU", data), curve), layout)


def _scaled_elu(tape: Tape, data: FlatTensor, positive: float, negative: float) -> FlatTensor:
    """``positive * x`` above zero, ``negative * (exp(x) - 1)`` below. ELU keeps expm1's accuracy near zero."""
    above = tape.compute("RELU", data)
    if positive != 1.0:
        above = tape.compute("MUL", above, tape.constant(positive))
    below = tape.compute("ELU", tape.compute("MINIMUM", data, tape.constant(0.0)))
    return tape.compute("ADD", above, tape.compute("MUL", below, tape.constant(negative)))


@lowers("HardSigmoid")
def hard_sigmoid(node: HubNode, out: FlatGraph) -> None:
    """min(1, max(0, alpha * x + beta)) as relu6(6 * alpha * x + 6 * beta) / 6: delegates have no RELU_0_TO_1."""
    tape, layout = out.tape, out.layout(node)
    data, slope = out.read(node, 0, layout), 6.0 * node.number("alpha", 0.2)
    sloped = data if np.isclose(slope, 1.0, rtol=1e-6) else tape.compute("MUL", data, tape.constant(slope))
    clamped = tape.compute(
        "ADD",
        sloped,
        tape.constant(6.0 * node.number("beta", 0.5)),
        builtin_options=options("AddOptions", fusedActivationFunction=FusedActivation.RELU6.code),
    )
    tape.add("MUL", (clamped, tape.constant(1.0 / 6.0)), out.output(node, layout))


@lowers("Softplus")
def softplus(node: HubNode, out: FlatGraph) -> None:
    layout = out.layout(node)
    out.bind(node, _softplus(out.tape, out.read(node, 0, layout)), layout)


@lowers("Mish")
def mish(node: HubNode, out: FlatGraph) -> None:
    """x * tanh(softplus(x))"""
    layout = out.layout(node)
    data = out.read(node, 0, layout)
    gate = out.tape.compute("TANH", _softplus(out.tape, data))
    out.bind(node, out.tape.compute("MUL", data, gate), layout)


def _softplus(tape: Tape, data: FlatTensor) -> FlatTensor:
    """log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which does not overflow."""
    decay = tape.compute("EXP", tape.compute("NEG", tape.compute("ABS", data)))
    return tape.compute(
        "ADD", tape.compute("RELU", data), tape.compute("LOG", tape.compute("ADD", decay, tape.constant(1.0)))
    )


@lowers("Softsign")
def softsign(node: HubNode, out: FlatGraph) -> None:
    """x / (1 + |x|)"""
    tape, layout = out.tape, out.layout(node)
    data = out.read(node, 0, layout)
    below = tape.compute("ADD", tape.compute("ABS", data), tape.constant(1.0))
    out.bind(node, tape.compute("DIV", data, below), layout)


@lowers("ThresholdedRelu")
def thresholded_relu(node: HubNode, out: FlatGraph) -> None:
    """x where it exceeds alpha, else 0."""
    tape, layout = out.tape, out.layout(node)
    data = out.read(node, 0, layout)
    passes = tape.compute("GREATER", data, tape.constant(node.number("alpha", 1.0)), dtype="bool")
    chosen = tape.compute("SELECT_V2", passes, data, tape.constant(0.0), dtype="float32")
    out.bind(node, chosen, layout)
