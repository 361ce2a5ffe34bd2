"""One step of a recurrent layer, as operators on a tape. Formulas: the ONNX operators RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor
from edgekit_converters.writers.tflite.filters import bias_params
from edgekit_converters.writers.tflite.flat_model import FlatTensor, arithmetic_options, options
from edgekit_converters.writers.tflite.recurrent_activations import Activation
from edgekit_converters.writers.tflite.recurrent_layer import Layer
from edgekit_converters.writers.tflite.tape import Tape
from edgekit_converters.writers.tflite.weights import Weights

State = tuple[FlatTensor, ...]
"""(hidden,) or, of an LSTM, (hidden, cell); each (batch, units)."""

SQUASHED = per_tensor(2.0**-15, 0, QuantType.INT16)
"""What the 16-bit kernels of LOGISTIC and TANH write."""

Place = Callable[[Weights], FlatTensor]


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Writes steps of ``layer`` on ``tape``; ``place`` makes the tensor of a weight there. ``encodings``: of the values inside
    the layer, by role (`hub.expose_recurrent`); empty in float."""

    layer: Layer
    tape: Tape
    place: Place
    encodings: Mapping[str, QuantParams] = field(default_factory=dict)

    def step(self, projected: FlatTensor, state: State) -> State:
        """The next state from the weighted input (batch, gates x units) and the state before."""
        return _STEPS[self.layer.kind](self, projected, state)

    def dense(self, data: FlatTensor, weights: Weights, role: str, bias: Weights | None = None) -> FlatTensor:
        """(rows, weights' rows): FULLY_CONNECTED, quantizing the data per row where the weights alone are int8."""
        placed = self.place(weights)
        addend = None if bias is None else self._placed_bias(bias, data, placed)
        hybrid = options("FullyConnectedOptions", asymmetricQuantizeInputs=data.is_float and placed.is_int8)
        output = self._made((data.shape[0], weights.shape[0]), role)
        return self.tape.add("FULLY_CONNECTED", (data, placed, addend), output, hybrid)

    def split(self, tensor: FlatTensor, count: int) -> list[FlatTensor]:
        """``count`` equal parts along the last axis."""
        if count == 1:
            return [tensor]
        rows, columns = tensor.shape
        parts = [self.tape.temporary((rows, columns // count), params=tensor.params) for _ in range(count)]
        axis = self.tape.constant(np.array(1, np.int32), name="axis")
        self.tape.add_many("SPLIT", (axis, tensor), parts, options("SplitOptions", numSplits=count))
        return parts

    def add(self, one: FlatTensor, other: FlatTensor, role: str) -> FlatTensor:
        return self._arithmetic("ADD", one, other, role)

    def subtract(self, one: FlatTensor, other: FlatTensor, role: str) -> FlatTensor:
        return self._arithmetic("SUB", one, other, role)

    def multiply(self, one: FlatTensor, other: FlatTensor, role: str) -> FlatTensor:
        return self._arithmetic("MUL", one, other, role)

    def squash(self, activation: Activation, data: FlatTensor, role: str = "") -> FlatTensor:
        """The activation; on integers one of those that `quantize.recurrent` lets through."""
        if data.params is None:
            return activation.apply(self.tape, data)
        params = SQUASHED if activation.builtin in ("LOGISTIC", "TANH") else self.encodings[role]
        return self.tape.add(activation.builtin, (data,), self.tape.temporary(data.shape, params=params))

    def _arithmetic(self, builtin: str, one: FlatTensor, other: FlatTensor, role: str) -> FlatTensor:
        output = self._made(np.broadcast_shapes(one.shape, other.shape), role)
        return self.tape.add(builtin, (one, other), output, arithmetic_options(builtin, output))

    def _made(self, shape: Sequence[int], role: str) -> FlatTensor:
        return self.tape.temporary(shape, params=self.encodings.get(role))

    def _placed_bias(self, bias: Weights, data: FlatTensor, weights: FlatTensor) -> FlatTensor:
        if data.params is None or weights.params is None:
            return self.place(bias)
        params = bias_params(data.params, weights.params)
        return self.place(Weights(params.quantize(bias.array), params, bias.name))


def _rnn(cell: Cell, projected: FlatTensor, state: State) -> State:
    """h' = f(x W + h R + b)"""
    (hidden,) = state
    layer = cell.layer
    total = cell.add(projected, cell.dense(hidden, layer.recurrence[0], "recalled"), "gates")
    return (cell.squash(layer.activations[0], total, "hidden"),)


def _lstm(cell: Cell, projected: FlatTensor, state: State) -> State:
    """i, f, o = f(.), c' = f * c + i * g(.), h' = o * h(c'); the output gate's peephole sees the new c."""
    hidden, memory = state
    layer = cell.layer
    gate, candidate, squash = layer.activations
    gates = cell.split(cell.add(projected, cell.dense(hidden, layer.recurrence[0], "recalled"), "gates"), 4)
    admit, emit, keep, fresh = gates
    if layer.peepholes is not None:
        admit = _peep(cell, admit, memory, 0)
        keep = _peep(cell, keep, memory, 2)
    kept = cell.multiply(cell.squash(gate, keep), memory, "kept")
    added = cell.multiply(cell.squash(gate, admit), cell.squash(candidate, fresh), "added")
    memory = cell.add(kept, added, "cell")
    if layer.peepholes is not None:
        emit = _peep(cell, emit, memory, 1)
    return cell.multiply(cell.squash(gate, emit), cell.squash(squash, memory), "hidden"), memory


def _peep(cell: Cell, gate: FlatTensor, memory: FlatTensor, row: int) -> FlatTensor:
    assert cell.layer.peepholes is not None
    weighted = cell.multiply(memory, cell.tape.constant(cell.layer.peepholes[row], name="peephole"), "")
    return cell.add(gate, weighted, "")


def _gru(cell: Cell, projected: FlatTensor, state: State) -> State:
    """z, r = f(.), n = g(.), h' = n + z * (h - n)"""
    (hidden,) = state
    layer = cell.layer
    gate, candidate = layer.activations
    x_update, x_reset, x_new = cell.split(projected, 3)
    recurrent = cell.dense(hidden, layer.recurrence[0], "recalled", layer.recurrence_bias)
    h_update, h_reset, *h_new = cell.split(recurrent, recurrent.shape[1] // layer.units)
    update = cell.squash(gate, cell.add(x_update, h_update, "gates"))
    reset = cell.squash(gate, cell.add(x_reset, h_reset, "gates"))
    passed = cell.multiply(reset, h_new[0] if h_new else hidden, "passed")
    recalled = passed if h_new else cell.dense(passed, layer.recurrence[1], "inner")
    new = cell.squash(candidate, cell.add(x_new, recalled, "candidate"))
    change = cell.multiply(update, cell.subtract(hidden, new, "difference"), "change")
    return (cell.add(new, change, "hidden"),)


_STEPS: dict[str, Callable[[Cell, FlatTensor, State], State]] = {"RNN": _rnn, "LSTM": _lstm, "GRU": _gru}
