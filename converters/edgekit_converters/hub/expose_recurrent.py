"""Make the values between the inputs and outputs of a recurrent layer visible, so that calibration can see their ranges.

All but an LSTM's cell state follow from the layer's input and its own outputs, for all steps at once. Formulas: the ONNX
operators RNN, LSTM and GRU.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import Editor, attribute, constant, nodes_of
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import OPSET, Hub

_BIAS, _HIDDEN, _CELL = 3, 5, 6


def role_name(layer: str, role: str) -> str:
    """The name of a value inside a recurrent layer."""
    return f"{layer}:{role}"


def expose_recurrent(hub: Hub, layers: Collection[str]) -> Hub:
    """The hub with the values inside of ``layers`` (node names) beside its own, under their `role_name`."""
    if not layers:
        return hub
    result = hub.clone()
    edit = Editor(result.model)
    for node in nodes_of(result.model, "RNN", "LSTM", "GRU"):
        if node.name in layers:
            _EXPOSED[node.op_type](_Inside(node, edit))
    result.model.graph.sort()
    infer_shapes(result.model)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Inside:
    """A layer of one direction. Values have the shape (steps, batch, ...)."""

    node: ir.Node
    edit: Editor

    def add(self, op: str, *inputs: ir.Value | None, role: str = "", **attributes: Any) -> ir.Value:
        value = self.edit.node(op, list(inputs), before=self.node, **attributes)
        if role:
            value.name = role_name(self.node.name or "", role)
        return value

    @property
    def units(self) -> int:
        return int(self.weight(2).shape[1])

    @property
    def reverse(self) -> bool:
        return bool(attribute(self.node, "direction", "forward") == "reverse")

    def weight(self, index: int) -> NDArray[np.float32]:
        """(rows, columns)"""
        array = constant(self.node.inputs[index])
        assert array is not None
        return np.asarray(array[0], np.float32)

    def biases(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of the input and of the state, each (gates x units,)."""
        rows = len(self.weight(1))
        array = constant(self.node.inputs[_BIAS]) if len(self.node.inputs) > _BIAS else None
        both = np.zeros(2 * rows, np.float32) if array is None else array.reshape(-1)
        return both[:rows], both[rows:]

    def hidden(self) -> ir.Value:
        """The state behind every step."""
        output = self.node.outputs[0]
        if not output.name:
            output.name = self.edit.unique(f"{self.node.name}/every_step")
        return self.add("Squeeze", output, self.edit.index([1]), role="hidden")

    def before(self, states: ir.Value, index: int) -> ir.Value:
        """The state in front of every step: ``states`` moved by one, behind the initial state that input ``index`` is."""
        given = self.node.inputs[index] if len(self.node.inputs) > index else None
        first = self.add("Slice", states, self.edit.index([0]), self.edit.index([1]), self.edit.index([0]))
        start = given if given is not None else self.add("Mul", first, self.edit.floats(0.0))
        if self.reverse:
            return self.add("Concat", self._cut(states, 1, _END), start, axis=0)
        return self.add("Concat", start, self._cut(states, 0, -1), axis=0)

    def part(self, value: ir.Value, begin: int, end: int) -> ir.Value:
        """Columns, counted in units."""
        bounds = (self.edit.index([begin * self.units]), self.edit.index([end * self.units]))
        return self.add("Slice", value, *bounds, self.edit.index([2]))

    def product(self, value: ir.Value | None, weight: NDArray[np.float32], role: str, bias: Any = None) -> ir.Value:
        matrix = self.edit.constant(np.ascontiguousarray(weight.T), "matrix")
        if bias is None:
            return self.add("MatMul", value, matrix, role=role)
        return self.add("Add", self.add("MatMul", value, matrix), self.edit.constant(bias, "bias"), role=role)

    def _cut(self, states: ir.Value, begin: int, end: int) -> ir.Value:
        return self.add("Slice", states, self.edit.index([begin]), self.edit.index([end]), self.edit.index([0]))


_END = 2**62


def _rnn(layer: _Inside) -> None:
    own, state = layer.biases()
    projected = layer.product(layer.node.inputs[0], layer.weight(1), "projected", own + state)
    recalled = layer.product(layer.before(layer.hidden(), _HIDDEN), layer.weight(2), "recalled")
    layer.add("Add", projected, recalled, role="gates")


def _gru(layer: _Inside) -> None:
    own, state = layer.biases()
    both, weight, recurrence = 2 * layer.units, layer.weight(1), layer.weight(2)
    previous = layer.before(layer.hidden(), _HIDDEN)
    reset_after = attribute(layer.node, "linear_before_reset", 0) == 1
    apart = np.where(np.arange(len(state)) < both, 0, state).astype(np.float32)
    projected = layer.product(layer.node.inputs[0], weight, "projected", own + state - (apart if reset_after else 0))
    used = recurrence if reset_after else recurrence[:both]
    recalled = layer.product(previous, used, "recalled", apart if reset_after else None)
    gates = layer.add("Add", layer.part(projected, 0, 2), layer.part(recalled, 0, 2), role="gates")
    open_gates = layer.add("Sigmoid", gates)
    reset = layer.part(open_gates, 1, 2)
    passed = layer.add("Mul", reset, layer.part(recalled, 2, 3) if reset_after else previous, role="passed")
    inner = passed if reset_after else layer.product(passed, recurrence[both:], "inner")
    new = layer.add("Tanh", layer.add("Add", layer.part(projected, 2, 3), inner, role="candidate"))
    difference = layer.add("Sub", previous, new, role="difference")
    layer.add("Mul", layer.part(open_gates, 0, 1), difference, role="change")


def _lstm(layer: _Inside) -> None:
    own, state = layer.biases()
    projected = layer.product(layer.node.inputs[0], layer.weight(1), "projected", own + state)
    recalled = layer.product(layer.before(layer.hidden(), _HIDDEN), layer.weight(2), "recalled")
    gates = layer.add("Add", projected, recalled, role="gates")
    admit, keep = (layer.add("Sigmoid", layer.part(gates, place, place + 1)) for place in (0, 2))
    added = layer.add("Mul", admit, layer.add("Tanh", layer.part(gates, 3, 4)), role="added")
    cell = _cells(layer, keep, added)
    layer.add("Mul", keep, layer.before(cell, _CELL), role="kept")


def _cells(layer: _Inside, keep: ir.Value, added: ir.Value) -> ir.Value:
    """c' = keep * c + added, step by step."""
    given = layer.node.inputs[_CELL] if len(layer.node.inputs) > _CELL else None
    front = layer.edit.index([0])
    if given is None:
        first = layer.add("Slice", added, front, layer.edit.index([1]), front)
        given = layer.add("Mul", first, layer.edit.floats(0.0))
    start = layer.add("Squeeze", given, front)
    direction = [1] if layer.reverse else [0]
    settings: dict[str, Any] = {
        "num_scan_inputs": 2,
        "scan_input_directions": direction * 2,
        "scan_output_directions": direction,
        "body": _cell_step(),
    }
    scanned = layer.edit.node("Scan", [start, keep, added], before=layer.node, outputs=2, **settings)
    made = scanned.producer()
    assert made is not None
    made.outputs[1].name = role_name(layer.node.name or "", "cell")
    return made.outputs[1]


def _cell_step() -> ir.Graph:
    def value(name: str) -> ir.Value:
        return ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT), shape=None)

    memory, keep, added = value("memory"), value("keep"), value("added")
    kept = ir.node("Mul", [keep, memory], name="kept")
    total = ir.node("Add", [kept.outputs[0], added], name="total")
    copy = ir.node("Identity", [total.outputs[0]], name="copy")
    for node in (kept, total, copy):
        node.outputs[0].name = f"{node.name}_out"
        node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    outputs = [total.outputs[0], copy.outputs[0]]
    return ir.Graph([memory, keep, added], outputs, nodes=[kept, total, copy], opset_imports={"": OPSET}, name="step")


_EXPOSED = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}
