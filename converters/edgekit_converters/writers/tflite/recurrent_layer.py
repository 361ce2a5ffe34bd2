"""`Layer`: what a RNN, LSTM or GRU node says, checked, and its weights by matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.rules import GATES
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.recurrent_activations import Activation, activations_of
from edgekit_converters.writers.tflite.weights import Weights

_DEFAULT_ACTIVATIONS = {"RNN": ("Tanh",), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}
_WEIGHT, _RECURRENCE, _BIAS, _LENGTHS, _HIDDEN, _CELL, _PEEPHOLES = 1, 2, 3, 4, 5, 6, 7


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A recurrent layer of one direction. Gates come in ONNX's order: i, o, f, c (LSTM); z, r, h (GRU).

    ``weight``: (gates x units, inputs). ``recurrence``: (gates x units, units), one matrix or, where the cell needs them apart,
    the rows of z and r and those of h (GRU without linear_before_reset). ``bias``: added to the weighted input;
    ``recurrence_bias``: to the weighted state, where the cell must keep it apart (GRU with linear_before_reset), else None.
    ``peepholes``: (3, units) of i, o, f, or None. ``states``: input indices of the initial states.
    """

    kind: str
    steps: int
    batch: int
    inputs: int
    units: int
    reverse: bool
    activations: tuple[Activation, ...]
    weight: Weights
    recurrence: tuple[Weights, ...]
    bias: Weights
    recurrence_bias: Weights | None
    peepholes: NDArray[np.float32] | None

    @property
    def gates(self) -> int:
        return GATES[self.kind]

    @property
    def states(self) -> tuple[int, ...]:
        return (_HIDDEN, _CELL) if self.kind == "LSTM" else (_HIDDEN,)


def layer_of(node: HubNode, out: FlatGraph) -> Layer:
    """Raises UnsupportedOpError where TFLite has no form for what the node asks."""
    _refuse(node)
    steps, batch, inputs = node.shape()
    weight, recurrence = _matrix(node, out, _WEIGHT), _matrix(node, out, _RECURRENCE)
    units = recurrence.shape[1]
    reset_after = node.op == "GRU" and node.integer("linear_before_reset", 0) == 1
    bias, recurrence_bias = _biases(node, GATES[node.op], units, reset_after)
    return Layer(
        kind=node.op,
        steps=steps,
        batch=batch,
        inputs=inputs,
        units=units,
        reverse=node.text("direction", "forward") == "reverse",
        activations=activations_of(node, _DEFAULT_ACTIVATIONS[node.op]),
        weight=weight,
        recurrence=(recurrence,) if node.op != "GRU" or reset_after else _parted(recurrence, 2 * units),
        bias=bias,
        recurrence_bias=recurrence_bias,
        peepholes=_peepholes(node, units),
    )


def _refuse(node: HubNode) -> None:
    if node.text("direction", "forward") == "bidirectional":
        raise node.unsupported("it is bidirectional and its activations have parameters")
    if node.has(_LENGTHS):
        raise node.unsupported("it has sequence lengths; expected all sequences to have the input's length")
    if node.number("clip", 0.0):
        raise node.unsupported("it clips its gates (attribute clip)")
    if node.integer("input_forget", 0):
        raise node.unsupported("its input and forget gates are coupled (attribute input_forget)")
    if node.integer("layout", 0):
        raise node.unsupported("it is batch-first (layout 1); the normalize passes make it time-first")


def _matrix(node: HubNode, out: FlatGraph, index: int) -> Weights:
    """(1, rows, columns) as (rows, columns), one scale a row."""
    node.required_constant(index, "weight")
    weights = out.weights(node, index)
    return weights.reshape(weights.shape[1:], 0)


def _parted(matrix: Weights, row: int) -> tuple[Weights, Weights]:
    return matrix.rows(0, row), matrix.rows(row, matrix.shape[0])


def _biases(node: HubNode, gates: int, units: int, reset_after: bool) -> tuple[Weights, Weights | None]:
    """ONNX has a bias for the input and one for the state, (1, 2 x gates x units); they are added wherever the cell allows."""
    name = f"{node.name}/bias"
    if node.has(_BIAS):
        both = node.required_constant(_BIAS, "bias").reshape(2, gates * units)
    else:
        both = np.zeros((2, gates * units), np.float32)
    if not reset_after:
        return Weights(both[0] + both[1], None, name), None
    own, apart = both[0].copy(), np.zeros_like(both[1])
    own[: 2 * units] += both[1][: 2 * units]
    apart[2 * units :] = both[1][2 * units :]
    return Weights(own, None, name), Weights(apart, None, f"{name}/state")


def _peepholes(node: HubNode, units: int) -> NDArray[np.float32] | None:
    if not node.has(_PEEPHOLES):
        return None
    found = node.required_constant(_PEEPHOLES, "peephole weights").reshape(3, units)
    return found if found.any() else None
