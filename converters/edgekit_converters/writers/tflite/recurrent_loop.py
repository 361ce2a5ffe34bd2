"""All steps of a recurrent layer as one WHILE: a file of a third of the size, at some cost in speed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from edgekit_converters.quantize.params import QuantParams
from edgekit_converters.writers.tflite.flat_model import FlatModel, FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.recurrent_cells import Cell, State
from edgekit_converters.writers.tflite.recurrent_layer import Layer
from edgekit_converters.writers.tflite.tape import Tape


@dataclass(frozen=True, slots=True, eq=False)
class Variables:
    """What goes round the loop: the step's number (1,), the weighted inputs (steps, batch x gates x units), the state and,
    where it is asked for, the output of every step (steps, batch x units)."""

    step: FlatTensor
    projected: FlatTensor
    state: State
    outputs: FlatTensor | None

    def listed(self) -> tuple[FlatTensor, ...]:
        return (self.step, self.projected, *self.state, *((self.outputs,) if self.outputs is not None else ()))


def loop(
    node: HubNode, out: FlatGraph, layer: Layer, projected: FlatTensor, state: State, every_step: bool
) -> Variables:
    """The variables behind the last step. ``projected``: (steps x batch, gates x units)."""
    tape = out.tape
    begin = Variables(
        tape.constant(np.zeros(1, np.int32), name="first_step"),
        tape.reshape(projected, (layer.steps, layer.batch * layer.gates * layer.units)),
        state,
        _zeros(tape, (layer.steps, layer.batch * layer.units), state[0].params) if every_step else None,
    )
    end = _like(begin, tape)
    subgraphs = {
        "condSubgraphIndex": _condition(begin, out, layer),
        "bodySubgraphIndex": _body(begin, node, out, layer),
    }
    tape.add_control("WHILE", begin.listed(), end.listed(), options("WhileOptions"), subgraphs)
    return end


def _zeros(tape: Tape, shape: tuple[int, ...], params: QuantParams | None) -> FlatTensor:
    dims = tape.constant(np.array(shape, np.int32), name="shape")
    zero = tape.constant(0.0) if params is None else tape.constant(params.quantize(np.zeros(())), params)
    return tape.add("FILL", (dims, zero), tape.temporary(shape, params=params))


def _like(variables: Variables, tape: Tape) -> Variables:
    """New tensors of the same shapes on ``tape``."""

    def new(tensor: FlatTensor) -> FlatTensor:
        return tape.temporary(tensor.shape, tensor.dtype, tensor.params)

    outputs = None if variables.outputs is None else new(variables.outputs)
    return Variables(new(variables.step), new(variables.projected), tuple(map(new, variables.state)), outputs)


def _condition(variables: Variables, out: FlatGraph, layer: Layer) -> FlatModel:
    """Whether a step is left."""
    tape = out.subgraph().tape
    given = _like(variables, tape)
    left = tape.compute("LESS", given.step, tape.constant(np.array([layer.steps], np.int32)), dtype=np.bool_)
    return FlatModel(given.listed(), (left,), tuple(tape.ops))


def _body(variables: Variables, node: HubNode, out: FlatGraph, layer: Layer) -> FlatModel:
    """One step."""
    inner = out.subgraph()
    tape = inner.tape
    given = _like(variables, tape)
    cell = Cell(layer, tape, partial(inner.place, node, hybrid=True), out.roles(node))
    position = given.step
    if layer.reverse:
        position = tape.compute("SUB", tape.constant(np.array([layer.steps - 1], np.int32)), position)
    row = tape.compute("GATHER", given.projected, position, shape=(1, given.projected.shape[1]))
    state = cell.step(tape.reshape(row, (layer.batch, layer.gates * layer.units)), given.state)
    following = tape.compute("ADD", given.step, tape.constant(np.ones(1, np.int32)))
    outputs = None if given.outputs is None else _updated(tape, given.outputs, state[0], position)
    made = Variables(following, given.projected, state, outputs)
    return FlatModel(given.listed(), made.listed(), tuple(tape.ops))


def _updated(tape: Tape, outputs: FlatTensor, hidden: FlatTensor, position: FlatTensor) -> FlatTensor:
    """``outputs`` with the row at ``position`` replaced."""
    start = tape.compute("MUL", position, tape.constant(np.array([1, 0], np.int32)))
    row = tape.reshape(hidden, (1, outputs.shape[1]))
    updated = tape.temporary(outputs.shape, params=outputs.params)
    return tape.add("DYNAMIC_UPDATE_SLICE", (outputs, row, start), updated)
