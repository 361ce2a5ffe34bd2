"""RNN, LSTM and GRU: the weighted inputs of all steps at once, then a step after the other."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from edgekit_converters.quantize.recurrent import is_fused
from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.recurrent_cells import Cell, State
from edgekit_converters.writers.tflite.recurrent_fused import fused_lstm
from edgekit_converters.writers.tflite.recurrent_layer import Layer, layer_of
from edgekit_converters.writers.tflite.recurrent_loop import loop
from edgekit_converters.writers.tflite.table import lowers

UNROLLED_BYTES = 4 * 2**20
"""Of recurrent weights, up to which a layer is written step by step. XNNPACK packs the weights of every operator anew, so that
each step reads its own copy. Once the copies fall out of a core's cache (1 MB where this was measured, 61 steps), a loop is
faster: LSTMs of 96 units in float 111 microseconds against 150, of 192 units in int8 122 against 173."""


@lowers("RNN", "LSTM", "GRU", int8=True)
def recurrent(node: HubNode, out: FlatGraph) -> None:
    """FULLY_CONNECTED per step, float or with int8 weights; as a WHILE where a layer is longer than the limit for unrolling or
    the weights of all its steps take more than 4 MB. In files without float operators on 16-bit states, or as the one LSTM
    operator with 8-bit data and a 16-bit cell state."""
    layer = layer_of(node, out)
    if out.is_integer(node) and is_fused(node.node):
        fused_lstm(node, out, layer)
        return
    # Placed once, not once a step: finding an equal constant means hashing it.
    cell = Cell(layer, out.tape, cache(partial(out.place, node, hybrid=True)), out.roles(node))
    projected = _projected(node, out, cell)
    state = _initial_state(node, out, layer)
    if layer.steps > out.unroll_steps or _unrolled_bytes(layer) > UNROLLED_BYTES:
        end = loop(node, out, layer, projected, state, every_step=node.is_used(0))
        _bind(node, out, end.outputs, end.state)
        return
    outputs = []
    for weighted in _steps(cell, projected):
        state = cell.step(weighted, state)
        outputs.append(state[0])
    _bind(node, out, _joined(out, layer, outputs) if node.is_used(0) else None, state)


def _unrolled_bytes(layer: Layer) -> int:
    """Of the state's weights, a copy a step."""
    return layer.steps * sum(weights.array.size * (1 if weights.is_integer else 4) for weights in layer.recurrence)


def _projected(node: HubNode, out: FlatGraph, cell: Cell) -> FlatTensor:
    """(steps x batch, gates x units)"""
    layer = cell.layer
    data = out.read(node, 0, (0, 1, 2))
    rows = out.tape.reshape(data, (layer.steps * layer.batch, layer.inputs))
    return cell.dense(rows, layer.weight, "projected", layer.bias)


def _initial_state(node: HubNode, out: FlatGraph, layer: Layer) -> State:
    return tuple(_state(node, out, layer, index) for index in layer.states)


def _state(node: HubNode, out: FlatGraph, layer: Layer, index: int) -> FlatTensor:
    shape = (layer.batch, layer.units)
    if node.has(index):
        return out.tape.reshape(out.read(node, index, (0, 1, 2)), shape)
    params = out.roles(node).get("hidden" if index == layer.states[0] else "cell")
    rest = np.zeros(shape, np.float32)
    return out.tape.constant(rest if params is None else params.quantize(rest), params, name="rest")


def _steps(cell: Cell, projected: FlatTensor) -> list[FlatTensor]:
    """The weighted input (batch, gates x units) of each step, in the order in which the layer takes them."""
    layer, width = cell.layer, projected.shape[1]
    if layer.steps == 1:
        return [projected]
    stacked = cell.tape.reshape(projected, (layer.steps, layer.batch, width))
    rows = [cell.tape.temporary((layer.batch, width), params=projected.params) for _ in range(layer.steps)]
    cell.tape.add_many("UNPACK", (stacked,), rows, options("UnpackOptions", num=layer.steps, axis=0))
    return rows[::-1] if layer.reverse else rows


def _joined(out: FlatGraph, layer: Layer, outputs: list[FlatTensor]) -> FlatTensor:
    """(steps x batch, units)"""
    ordered = outputs[::-1] if layer.reverse else outputs
    if len(ordered) == 1:
        return ordered[0]
    result = out.tape.temporary((layer.steps * layer.batch, layer.units), params=ordered[0].params)
    return out.tape.add("CONCATENATION", ordered, result, options("ConcatenationOptions", axis=0))


def _bind(node: HubNode, out: FlatGraph, outputs: FlatTensor | None, state: State) -> None:
    """Y (steps, 1, batch, units) and the last states (1, batch, units)."""
    for index, tensor in enumerate((outputs, *state)):
        if tensor is not None and index < node.output_count and node.is_used(index):
            out.bind(node, out.tape.reshape(tensor, node.output_shape(index)), index=index)
