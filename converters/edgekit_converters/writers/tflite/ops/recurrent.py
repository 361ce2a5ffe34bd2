"""RNN, LSTM and GRU: the weighted inputs of all steps at once, then a step after the other."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.recurrent_cells import Cell, State
from edgekit_converters.writers.tflite.recurrent_layer import Layer, layer_of
from edgekit_converters.writers.tflite.table import lowers


@lowers("RNN", "LSTM", "GRU")
def recurrent(node: HubNode, out: FlatGraph) -> None:
    """FULLY_CONNECTED per step, float or with int8 weights."""
    layer = layer_of(node, out)
    cell = Cell(layer, out.tape, partial(out.place, node, hybrid=True))
    projected = _projected(node, out, cell)
    state = _initial_state(node, out, layer)
    outputs = []
    for weighted in _steps(cell, projected):
        state = cell.step(weighted, state)
        outputs.append(state[0])
    _bind(node, out, layer, outputs, state)


def _projected(node: HubNode, out: FlatGraph, cell: Cell) -> FlatTensor:
    """(steps x batch, gates x units)"""
    layer = cell.layer
    data = out.read_float(node, 0, (0, 1, 2))
    rows = out.tape.reshape(data, (layer.steps * layer.batch, layer.inputs))
    return cell.dense(rows, layer.weight, layer.bias)


def _initial_state(node: HubNode, out: FlatGraph, layer: Layer) -> State:
    return tuple(_state(node, out, layer, index) for index in layer.states)


def _state(node: HubNode, out: FlatGraph, layer: Layer, index: int) -> FlatTensor:
    shape = (layer.batch, layer.units)
    if node.has(index):
        return out.tape.reshape(out.read_float(node, index, (0, 1, 2)), shape)
    return out.tape.constant(np.zeros(shape, np.float32), name="rest")


def _steps(cell: Cell, projected: FlatTensor) -> list[FlatTensor]:
    """The weighted input (batch, gates x units) of each step, in the order in which the layer takes them."""
    layer = cell.layer
    width = projected.shape[1]
    rows = [cell.tape.slice(projected, (step * layer.batch, 0), (layer.batch, width)) for step in range(layer.steps)]
    return rows[::-1] if layer.reverse else rows


def _bind(node: HubNode, out: FlatGraph, layer: Layer, outputs: list[FlatTensor], state: State) -> None:
    """Y (steps, 1, batch, units) and the last states (1, batch, units)."""
    if node.is_used(0):
        ordered = outputs[::-1] if layer.reverse else outputs
        shape = (layer.steps * layer.batch, layer.units)
        joined = out.tape.add(
            "CONCATENATION", ordered, out.tape.temporary(shape), options("ConcatenationOptions", axis=0)
        )
        out.bind(node, out.tape.reshape(joined, node.output_shape(0)))
    for index, tensor in enumerate(state, start=1):
        if index < node.output_count and node.is_used(index):
            out.bind(node, out.tape.reshape(tensor, node.output_shape(index)), index=index)
