"""`Layer`: a plain recurrent layer in numbers; what its gates add up at every step, and how much an error there matters.

Formulas: the ONNX operators RNN, LSTM and GRU with their default activations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import attribute, constant

Floats = NDArray[np.float32]

_LENGTHS, _HIDDEN, _CELL, _PEEPHOLES = 4, 5, 6, 7
_UNUSUAL = ("activations", "activation_alpha", "activation_beta", "clip", "input_forget", "layout")


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One direction, started from 0. ``inputs`` (gates x units, inputs), ``state`` (gates x units, units), ``biases`` (2, gates
    x units). ``reset_after``: a GRU's reset gate is multiplied with the state's product, not with the state."""

    kind: str
    inputs: Floats
    state: Floats
    biases: Floats
    reverse: bool
    reset_after: bool

    @property
    def units(self) -> int:
        return int(self.state.shape[1])

    @property
    def gates(self) -> int:
        return len(self.state) // self.units

    def before(self, states: Floats) -> Floats:
        """(steps, batch, units): the state in front of every step, of the one behind it."""
        start = np.zeros_like(states[:1])
        return np.concatenate([states[1:], start] if self.reverse else [start, states[:-1]])

    def rows(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of these units in all gates."""
        return np.concatenate([units + gate * self.units for gate in range(self.gates)])


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Of every gate's row at every step, (steps, batch, gates x units): what it adds up, and ``worth``, the squared derivative
    of what the layer keeps after it. Of a GRU whose reset gate comes after, the candidate's rows add up the state alone."""

    total: Floats
    worth: Floats


def layer_of(node: ir.Node) -> Layer | None:
    """None where a layer is not plain: two directions, sequences of several lengths, states given, other activations."""
    arrays = [constant(value) for value in node.inputs[1:4]]
    if len(arrays) < 3 or any(array is None or array.shape[0] != 1 for array in arrays):
        return None
    given = [value for value in node.inputs[_LENGTHS:] if value is not None]
    if given or any(name in node.attributes for name in _UNUSUAL):
        return None
    inputs, state, biases = (np.asarray(array, np.float32)[0] for array in arrays if array is not None)
    reverse = attribute(node, "direction", "forward") == "reverse"
    reset_after = attribute(node, "linear_before_reset", 0) == 1
    return Layer(node.op_type, inputs, state, biases.reshape(2, -1), reverse, reset_after)


def sums(layer: Layer, inputs: Floats, states: Floats) -> Sums:
    """``inputs`` (steps, batch, inputs) and the ``states`` (steps, batch, units) that the layer makes of them."""
    projected = inputs @ layer.inputs.T + layer.biases[0]
    found: Sums = _SUMS[layer.kind](layer, projected, states)
    return found


def _rnn(layer: Layer, projected: Floats, states: Floats) -> Sums:
    recalled = layer.before(states) @ layer.state.T + layer.biases[1]
    return Sums(projected + recalled, (1 - states**2) ** 2)


def _lstm(layer: Layer, projected: Floats, states: Floats) -> Sums:
    """The cell counts, not what the output gate lets out of it at that step: it lasts."""
    total = projected + layer.before(states) @ layer.state.T + layer.biases[1]
    admit, emit, keep, fresh = np.split(total, 4, axis=-1)
    admit, emit, keep, fresh = sigmoid(admit), sigmoid(emit), sigmoid(keep), np.tanh(fresh)
    cells = _cells(layer, keep, admit * fresh)
    slopes = (
        _slope(admit) * fresh,
        _slope(emit) * np.tanh(cells),
        _slope(keep) * layer.before(cells),
        admit * (1 - fresh**2),
    )
    return Sums(total, np.concatenate(slopes, axis=-1) ** 2)


def _cells(layer: Layer, keep: Floats, added: Floats) -> Floats:
    cells, cell = np.empty_like(added), np.zeros_like(added[0])
    for step in reversed(range(len(added))) if layer.reverse else range(len(added)):
        cell = keep[step] * cell + added[step]
        cells[step] = cell
    return cells


def _gru(layer: Layer, projected: Floats, states: Floats) -> Sums:
    previous, both = layer.before(states), 2 * layer.units
    recalled = previous @ layer.state.T + layer.biases[1]
    total = projected + recalled
    update, reset = np.split(sigmoid(total[..., :both]), 2, axis=-1)
    if layer.reset_after:
        inner, passed = recalled[..., both:], reset
        candidate = np.tanh(projected[..., both:] + reset * inner)
        moved = inner
    else:
        inner = projected[..., both:] + (reset * previous) @ layer.state[both:].T + layer.biases[1, both:]
        candidate, passed, moved = np.tanh(inner), np.ones_like(reset), previous
    changed = (1 - update) * (1 - candidate**2)
    slopes = (_slope(update) * (previous - candidate), changed * _slope(reset) * moved, changed * passed)
    return Sums(np.concatenate([total[..., :both], inner], axis=-1), np.concatenate(slopes, axis=-1) ** 2)


def sigmoid(values: Floats) -> Floats:
    found: Floats = 0.5 * (1 + np.tanh(0.5 * values))
    return found


def _slope(opened: Floats) -> Floats:
    """The derivative of a sigmoid that gives ``opened``."""
    return opened * (1 - opened)


_SUMS: dict[str, Callable[[Layer, Floats, Floats], Sums]] = {"RNN": _rnn, "LSTM": _lstm, "GRU": _gru}
