"""An LSTM as one operator on integers: 8-bit data, weights and outputs beside a 16-bit cell state.

The kernel's encodings: TFLite's quantization of UNIDIRECTIONAL_SEQUENCE_LSTM without layer normalization and projection
(tensorflow/lite/kernels/lstm.cc, PopulateQuantizedLstmParams8x8_16; lite/tools/optimize/operator_property.cc).
"""

from __future__ import annotations

import numpy as np

from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor
from edgekit_converters.writers.tflite.filters import bias_params
from edgekit_converters.writers.tflite.flat_model import FlatOp, FlatTensor, Shape, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.recurrent_layer import Layer
from edgekit_converters.writers.tflite.weights import Weights

_GATES = (0, 2, 3, 1)
"""The operator's order (input, forget, cell, output) in ONNX's (input, output, forget, cell)."""
_GATE = per_tensor(2.0**-12, 0, QuantType.INT16)
_TANH = 4


def fused_lstm(node: HubNode, out: FlatGraph, layer: Layer) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM; a reverse layer between two REVERSE_V2. The state must be cleared before a new sequence."""
    tape, roles = out.tape, out.roles(node)
    hidden, cell = roles["hidden"], roles["cell"]
    data = _in_order(out, layer, out.read(node, 0, (0, 1, 2)))
    outputs = tape.temporary((layer.steps, layer.batch, layer.units), params=hidden)
    states = (_state(out, layer, hidden), _state(out, layer, cell))
    table = options("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=_TANH, timeMajor=True)
    inputs = (data, *_parameters(out, layer, data), *states, None, None, None, None)
    encodings = (*(_unwritten(out, (0,), _GATE) for _ in range(4)), _unwritten(out, (0,), hidden))
    tape.ops.append(FlatOp("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (outputs,), table, intermediates=encodings))
    _bind(node, out, layer, outputs)


def _parameters(out: FlatGraph, layer: Layer, data: FlatTensor) -> tuple[FlatTensor | None, ...]:
    """Inputs 1 to 17: weights of the data, weights of the state, no peepholes, biases, no projection."""
    assert data.params is not None
    weights = [_gate(layer, layer.weight, gate) for gate in _GATES]
    recurrence = [_gate(layer, layer.recurrence[0], gate) for gate in _GATES]
    placed = [out.tape.constant(part.array, part.params, part.name) for part in (*weights, *recurrence)]
    biases = [_bias(out, layer, part, gate, data.params) for part, gate in zip(weights, _GATES, strict=True)]
    return (*placed, None, None, None, *biases, None, None)


def _gate(layer: Layer, matrix: Weights, gate: int) -> Weights:
    """The rows of one gate, which the plan gave one scale."""
    rows = matrix.rows(gate * layer.units, (gate + 1) * layer.units)
    assert rows.params is not None
    return Weights(rows.array, per_tensor(float(rows.params.scale[0]), 0), matrix.name)


def _bias(out: FlatGraph, layer: Layer, weights: Weights, gate: int, data: QuantParams) -> FlatTensor:
    assert weights.params is not None
    params = bias_params(data, weights.params)
    real = layer.bias.array[gate * layer.units : (gate + 1) * layer.units]
    return out.tape.constant(params.quantize(real), params, layer.bias.name)


def _state(out: FlatGraph, layer: Layer, params: QuantParams) -> FlatTensor:
    state = out.tape.temporary((layer.batch, layer.units), params=params)
    state.variable = True
    return state


def _unwritten(out: FlatGraph, shape: Shape, params: QuantParams) -> FlatTensor:
    return out.tape.temporary(shape, params=params)


def _in_order(out: FlatGraph, layer: Layer, tensor: FlatTensor) -> FlatTensor:
    """The steps in the order in which the layer takes them, and back again."""
    if not layer.reverse or layer.steps == 1:
        return tensor
    axis = out.tape.constant(np.zeros(1, np.int32), name="axis")
    return out.tape.compute("REVERSE_V2", tensor, axis, shape=tensor.shape, builtin_options=options("ReverseV2Options"))


def _bind(node: HubNode, out: FlatGraph, layer: Layer, outputs: FlatTensor) -> None:
    """Y (steps, 1, batch, units) and the last state (1, batch, units)."""
    if node.is_used(0):
        out.bind(node, out.tape.reshape(_in_order(out, layer, outputs), node.output_shape(0)))
    if node.output_count > 1 and node.is_used(1):
        last = out.tape.slice(outputs, (layer.steps - 1, 0, 0), (1, layer.batch, layer.units))
        out.bind(node, out.tape.reshape(last, node.output_shape(1)), index=1)
