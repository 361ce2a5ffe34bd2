"""One step of a recurrent layer, as operators on a tape. Formulas: the ONNX operators RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.recurrent_layer import Layer
from edgekit_converters.writers.tflite.tape import Tape
from edgekit_converters.writers.tflite.weights import Weights

State = tuple[FlatTensor, ...]
"""(hidden,) or, of an LSTM, (hidden, cell); each (batch, units)."""

Place = Callable[[Weights], FlatTensor]


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Writes steps of ``layer`` on ``tape``; ``place`` makes the tensor of a weight there."""

    layer: Layer
    tape: Tape
    place: Place

    def step(self, projected: FlatTensor, state: State) -> State:
        """The next state from the weighted input (batch, gates x units) and the state before."""
        return _STEPS[self.layer.kind](self, projected, state)

    def dense(self, data: FlatTensor, weights: Weights, bias: Weights | None = None) -> FlatTensor:
        """(rows, weights' rows): FULLY_CONNECTED, quantizing the data per row where the weights are int8."""
        placed = self.place(weights)
        inputs = (data, placed, None if bias is None else self.place(bias))
        hybrid = options("FullyConnectedOptions", asymmetricQuantizeInputs=placed.is_int8)
        return self.tape.add("FULLY_CONNECTED", inputs, self._rows(data.shape[0], weights.shape[0]), hybrid)

    def split(self, tensor: FlatTensor, count: int) -> list[FlatTensor]:
        """``count`` equal parts along the last axis."""
        if count == 1:
            return [tensor]
        rows, columns = tensor.shape
        parts = [self._rows(rows, columns // count) for _ in range(count)]
        axis = self.tape.constant(np.array(1, np.int32), name="axis")
        self.tape.add_many("SPLIT", (axis, tensor), parts, options("SplitOptions", numSplits=count))
        return parts

    def add(self, one: FlatTensor, other: FlatTensor) -> FlatTensor:
        return self.tape.compute("ADD", one, other)

    def multiply(self, one: FlatTensor, other: FlatTensor) -> FlatTensor:
        return self.tape.compute("MUL", one, other)

    def _rows(self, rows: int, columns: int) -> FlatTensor:
        return self.tape.temporary((rows, columns))


def _rnn(cell: Cell, projected: FlatTensor, state: State) -> State:
    """h' = f(x W + h R + b)"""
    (hidden,) = state
    layer = cell.layer
    return (layer.activations[0].apply(cell.tape, cell.add(projected, cell.dense(hidden, layer.recurrence[0]))),)


def _lstm(cell: Cell, projected: FlatTensor, state: State) -> State:
    """i, f, o = f(.), c' = f * c + i * g(.), h' = o * h(c'); the output gate's peephole sees the new c."""
    hidden, memory = state
    layer, tape = cell.layer, cell.tape
    gate, candidate, squash = layer.activations
    gates = cell.split(cell.add(projected, cell.dense(hidden, layer.recurrence[0])), 4)
    admit, emit, keep, fresh = gates
    if layer.peepholes is not None:
        admit = _peep(cell, admit, memory, 0)
        keep = _peep(cell, keep, memory, 2)
    kept = cell.multiply(gate.apply(tape, keep), memory)
    memory = cell.add(kept, cell.multiply(gate.apply(tape, admit), candidate.apply(tape, fresh)))
    if layer.peepholes is not None:
        emit = _peep(cell, emit, memory, 1)
    return cell.multiply(gate.apply(tape, emit), squash.apply(tape, memory)), memory


def _peep(cell: Cell, gate: FlatTensor, memory: FlatTensor, row: int) -> FlatTensor:
    assert cell.layer.peepholes is not None
    return cell.add(gate, cell.multiply(memory, cell.tape.constant(cell.layer.peepholes[row], name="peephole")))


def _gru(cell: Cell, projected: FlatTensor, state: State) -> State:
    """z, r = f(.), n = g(.), h' = n + z * (h - n)"""
    (hidden,) = state
    layer, tape = cell.layer, cell.tape
    gate, candidate = layer.activations
    x_update, x_reset, x_new = cell.split(projected, 3)
    recurrent = cell.dense(hidden, layer.recurrence[0], layer.recurrence_bias)
    h_update, h_reset, *h_new = cell.split(recurrent, recurrent.shape[1] // layer.units)
    update = gate.apply(tape, cell.add(x_update, h_update))
    reset = gate.apply(tape, cell.add(x_reset, h_reset))
    passed = cell.multiply(reset, h_new[0] if h_new else hidden)
    recalled = passed if h_new else cell.dense(passed, layer.recurrence[1])
    new = candidate.apply(tape, cell.add(x_new, recalled))
    return (cell.add(new, cell.multiply(update, tape.compute("SUB", hidden, new))),)


_STEPS: dict[str, Callable[[Cell, FlatTensor, State], State]] = {"RNN": _rnn, "LSTM": _lstm, "GRU": _gru}
