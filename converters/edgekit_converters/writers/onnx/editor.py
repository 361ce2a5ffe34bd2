"""`GraphEditor`: the few edits that the ONNX writer makes to a graph, with names kept unique."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.names import UniqueNames
from edgekit_converters.quantize.params import QuantParams


class GraphEditor:
    """Adds nodes and initializers to one graph. New nodes are appended; `sweep` sorts them into place."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        values = [value for node in graph for value in node.outputs]
        named = (*graph.inputs, *graph.initializers.values(), *values, *graph)
        self._names = UniqueNames(each.name for each in named)
        self._originals: dict[ir.Value, ir.Value] = {}

    def initializer(self, name: str, array: NDArray[Any]) -> ir.Value:
        tensor = ir.Tensor(np.asarray(array), name=self._names.give(name))
        value = ir.Value(
            name=tensor.name, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype), const_value=tensor
        )
        self.graph.register_initializer(value)
        return value

    def node(
        self, op: str, inputs: Sequence[ir.Value | None], name: str, *, outputs: int = 1, **attributes: Any
    ) -> tuple[ir.Value, ...]:
        """The outputs of a new node."""
        made = ir.node(op, list(inputs), attributes, num_outputs=outputs, name=self._names.give(f"{name}/{op}"))
        for value in made.outputs:
            value.name = self._names.give(f"{name}/{op}_out")
        self.graph.append(made)
        return tuple(made.outputs)

    def quantize(self, value: ir.Value, params: QuantParams, name: str) -> ir.Value:
        """The integers of a float value."""
        made = self.node("QuantizeLinear", [value, *self._parameters(params, name)], name, **_axis(params))[0]
        made.shape, made.type = value.shape, ir.TensorType(ir.DataType.from_numpy(params.dtype.dtype))
        return made

    def dequantize(self, integers: ir.Value, params: QuantParams, name: str) -> ir.Value:
        """The float value that integers stand for."""
        made = self.node("DequantizeLinear", [integers, *self._parameters(params, name)], name, **_axis(params))[0]
        made.shape, made.type = integers.shape, ir.TensorType(ir.DataType.FLOAT)
        return made

    def replace(self, old: ir.Value, new: ir.Value, *, except_by: ir.Node | None = None) -> None:
        """Let all readers of ``old`` read ``new``; a graph output keeps its name."""
        self._originals.setdefault(new, old)
        for reader, index in list(old.uses()):
            if reader is not except_by:
                reader.replace_input_with(index, new)
        if old.is_graph_output():
            place = list(self.graph.outputs).index(old)
            name, old.name = old.name, self._names.give(f"{old.name}_float")
            self.graph.outputs[place] = new
            new.name, new.shape = name, old.shape
            new.type = new.type or old.type

    def original(self, value: ir.Value) -> ir.Value:
        """The value in whose place this one was put, the first of them all; itself where there is none."""
        while value in self._originals:
            value = self._originals[value]
        return value

    def sweep(self) -> None:
        """Sort the nodes, drop what nothing reads any more."""
        self.graph.sort()
        for node in reversed(list(self.graph)):
            if not any(value.uses() or value.is_graph_output() for value in node.outputs):
                self.graph.remove(node, safe=True)
        for name, value in list(self.graph.initializers.items()):
            if not value.uses() and not value.is_graph_output():
                del self.graph.initializers[name]

    def _parameters(self, params: QuantParams, name: str) -> tuple[ir.Value, ir.Value]:
        zero_point = params.zero_point.astype(params.dtype.dtype)
        return self.initializer(f"{name}_scale", params.scale), self.initializer(f"{name}_zero_point", zero_point)


def _axis(params: QuantParams) -> dict[str, int]:
    return {} if params.axis is None else {"axis": params.axis}
