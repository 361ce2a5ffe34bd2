"""`GraphBuilder`: a hub, node by node, with shapes known at each step. Readers and tests use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import ArrayLike

from edgekit_converters.hub.inferable import inferable
from edgekit_converters.hub.model import IR_VERSION, OPSET, Hub
from edgekit_converters.names import UniqueNames


class GraphBuilder:
    """Builds a graph in the default domain at `OPSET`; the dtype and shape of every value is inferred as it is made."""

    def __init__(self, name: str = "model") -> None:
        self._graph = ir.Graph([], [], nodes=[], opset_imports={"": OPSET}, name=name)
        self._names = UniqueNames()

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> ir.Value:
        """A model input; ``dtype`` is numpy's name; a string in ``shape`` is a symbolic dimension."""
        value = ir.Value(
            name=self._names.give(name),
            shape=ir.Shape(shape),
            type=ir.TensorType(ir.DataType.from_numpy(np.dtype(dtype))),
        )
        self._graph.inputs.append(value)
        return value

    def constant(self, array: ArrayLike, name: str = "constant") -> ir.Value:
        """An initializer. A Python float becomes float32, an int int64 (numpy arrays keep their dtype)."""
        data = np.asarray(array)
        if not isinstance(array, (np.ndarray, np.generic)):
            data = data.astype(np.float32 if data.dtype.kind == "f" else data.dtype)
        tensor = ir.Tensor(np.ascontiguousarray(data).reshape(data.shape), name=self._names.give(name))
        value = ir.Value(
            name=tensor.name, shape=ir.Shape(data.shape), type=ir.TensorType(tensor.dtype), const_value=tensor
        )
        self._graph.register_initializer(value)
        return value

    def op(self, op_type: str, *inputs: ir.Value | None, name: str | None = None, **attributes: Any) -> ir.Value:
        """The single output of a new node. None is an omitted optional input."""
        return self.ops(op_type, *inputs, outputs=1, name=name, **attributes)[0]

    def ops(
        self, op_type: str, *inputs: ir.Value | None, outputs: int, name: str | None = None, **attributes: Any
    ) -> tuple[ir.Value, ...]:
        """All outputs of a new node."""
        node = ir.node(op_type, list(inputs), attributes, num_outputs=outputs, name=self._names.give(name or op_type))
        for index, value in enumerate(node.outputs):
            value.name = self._names.give(f"{node.name}:{index}" if index else f"{node.name}_out")
        self._graph.append(node)
        infer_node(node)
        return tuple(node.outputs)

    def output(self, value: ir.Value, name: str) -> None:
        """Make ``value`` a model output under that name."""
        if value.is_graph_input() or value.is_graph_output() or value.const_value is not None:
            value = self.op("Identity", value)
        value.name = name
        self._graph.outputs.append(value)

    def build(self, framework: str, source: Path | None = None, notes: tuple[str, ...] = ()) -> Hub:
        model = ir.Model(self._graph, ir_version=IR_VERSION, producer_name="edgekit")
        return Hub(model, framework, source, notes)


def infer_node(node: ir.Node) -> None:
    """Set dtype and shape of the node's outputs from its inputs, by ONNX's own inference. Raises onnx's InferenceError."""
    proto = inferable(ir.to_proto(node))
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for value in node.inputs:
        if value is None:
            continue
        assert value.name is not None
        types[value.name] = ir.to_proto(value).type
        if value.const_value is not None and value.const_value.size <= _LARGEST_SHAPE_TENSOR:
            data[value.name] = ir.to_proto(value.const_value)
    schema = onnx.defs.get_schema(proto.op_type, OPSET, node.domain)
    inferred: Mapping[str, onnx.TypeProto] = onnx.shape_inference.infer_node_outputs(
        schema, proto, types, data, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    for value in node.outputs:
        if (found := inferred.get(value.name or "")) is not None:
            value.type = ir.serde.deserialize_type_proto_for_type(found)
            value.shape = ir.serde.deserialize_type_proto_for_shape(found)


_LARGEST_SHAPE_TENSOR = 1024
