"""`Prefix`: a hub on its way through the samples, a stretch of nodes at a time; each node runs once.

Between two stretches lie only the values that later nodes read, as float16 where that holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.hub.model import IR_VERSION, OPSET
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import is_constant, name_of, value_name
from edgekit_converters.quantize.sequential_group import captured
from edgekit_converters.quantize.sequential_storage import kept

LARGEST_HALF = 30_000.0
"""Values up to which float16 is taken; it ends at 65,504."""


class Prefix:
    """``operands``: new contents of constant operands, entered before the stretch that reads them is run."""

    def __init__(self, hub: Hub, feeds: Sequence[dict[str, NDArray[Any]]]) -> None:
        self._nodes = list(hub.model.graph)
        self._place = {name_of(node): place for place, node in enumerate(self._nodes)}
        self._last = _last_readers(self._nodes)
        self._done = 0
        self._batches = len(feeds)
        self._chunks = {
            value_name(value): [batch[value_name(value)] for batch in feeds] for value in hub.model.graph.inputs
        }
        self._values = {value_name(v): v for n in self._nodes for v in n.outputs if v.name}
        self._values |= {value_name(v): v for v in hub.model.graph.inputs}
        self.operands: dict[Use, NDArray[Any]] = {}

    def advance(self, node: str) -> None:
        """Run every node before ``node``; values that it or later nodes read are kept."""
        self._run(self._place[node], ())

    def advance_past(self, node: str, also: Sequence[str]) -> None:
        """Run ``node`` too. ``also``: values to keep even if no later node reads them."""
        self._run(self._place[node] + 1, also)

    def trial(self, node: str, value: str) -> list[NDArray[Any]]:
        """What ``node``, the next one, gives for ``value`` with the operands as they are, batch by batch; it stays the next."""
        assert self._done == self._place[node]
        stretch = [self._nodes[self._done]]
        reads = self._read_by(stretch)
        session = Calculator(self._model(stretch, reads, [value]))
        feeds = ({name: _wide(self._chunks[name][index]) for name in reads} for index in range(self._batches))
        return [session.run([value], batch)[0] for batch in feeds]

    def _run(self, stop: int, also: Sequence[str]) -> None:
        if stop <= self._done:
            return
        stretch = self._nodes[self._done : stop]
        reads = self._read_by(stretch)
        keeps = [
            value_name(value)
            for each in stretch
            for value in each.outputs
            if value.name and (self._last.get(value_name(value), -1) >= stop or value_name(value) in also)
        ]
        session = Calculator(self._model(stretch, reads, keeps)) if keeps else None
        dead = [name for name in self._chunks if self._last.get(name, -1) < stop]
        made: dict[str, list[NDArray[Any]]] = {name: [] for name in keeps}
        for index in range(self._batches if session else 0):
            assert session is not None
            feeds = {name: _wide(self._chunks[name][index]) for name in reads}
            for name, array in zip(keeps, session.run(keeps, feeds), strict=True):
                made[name].append(_narrow(array))
            for name in dead:
                self._chunks[name][index] = _FREED
        for name in dead:
            del self._chunks[name]
        self._chunks |= made
        self._done = stop

    def batches(self, value: str) -> Iterable[NDArray[Any]]:
        """The value, batch by batch; it must have been kept."""
        return map(_wide, self._chunks[value])

    def _read_by(self, stretch: Sequence[ir.Node]) -> list[str]:
        read = [value for node in stretch for value in (*node.inputs, *captured(node))]
        names = dict.fromkeys(value_name(value) for value in read if value is not None and not is_constant(value))
        return [name for name in names if name in self._chunks]

    def _model(self, stretch: Sequence[ir.Node], reads: Sequence[str], keeps: Sequence[str]) -> onnx.ModelProto:
        graph = onnx.GraphProto(name=f"from {name_of(stretch[0])}")
        for name in reads:
            graph.input.append(_border(self._values[name]))
        known: set[str] = set()
        for node in stretch:
            proto = ir.to_proto(node)
            for index, value in enumerate(node.inputs):
                if value is None or not is_constant(value):
                    continue
                changed = self.operands.get(Use(name_of(node), index))
                if changed is not None:
                    proto.input[index] = f"{value_name(value)}:{name_of(node)}:{index}"
                    graph.initializer.append(onnx.numpy_helper.from_array(changed, proto.input[index]))
                else:
                    _declare(graph, value, known)
            for value in captured(node):
                if is_constant(value):
                    _declare(graph, value, known)
            graph.node.append(proto)
        for name in keeps:
            graph.output.append(_border(self._values[name]))
        opsets = [onnx.helper.make_opsetid("", OPSET)]
        return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _declare(graph: onnx.GraphProto, value: ir.Value, known: set[str]) -> None:
    if value_name(value) in known:
        return
    known.add(value_name(value))
    assert value.const_value is not None
    graph.initializer.append(onnx.numpy_helper.from_array(value.const_value.numpy(), value_name(value)))


def _border(value: ir.Value) -> onnx.ValueInfoProto:
    shape = None if value.shape is None else [dim if isinstance(dim, int) else dim.value for dim in value.shape]
    assert value.dtype is not None
    return onnx.helper.make_tensor_value_info(value_name(value), int(value.dtype), shape)


def _last_readers(nodes: Sequence[ir.Node]) -> dict[str, int]:
    """The place of the last node that reads a value."""
    return {
        value_name(value): place
        for place, node in enumerate(nodes)
        for value in (*node.inputs, *captured(node))
        if value is not None and value.name
    }


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype == np.float32 and array.size and np.abs(array).max() < LARGEST_HALF:
        return kept(array.astype(np.float16))
    return kept(array)


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype == np.float16 else array


_FREED: NDArray[Any] = np.empty(0)
