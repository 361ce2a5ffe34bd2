"""The small ONNX models that the sequential pass runs: one group, in float or as the integer kernels would compute it.

Values come in and go out as they are stored (float16, int8, ...); decoding and encoding are part of the model, so that ONNX
Runtime does the elementwise work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.model import IR_VERSION, OPSET
from edgekit_converters.quantize.params import QuantParams
from edgekit_converters.quantize.quant_plan import Execution, QuantPlan, Use
from edgekit_converters.quantize.scheme import is_constant, name_of, value_name
from edgekit_converters.quantize.sequential_group import Group, captured
from edgekit_converters.quantize.sequential_storage import Stored

Reads = Mapping[ir.Value, Stored]
Writes = Mapping[ir.Value, Stored]
Weights = Mapping[Use, NDArray[np.float32]]
_NONE: Weights = {}


def float_model(group: Group, reads: Reads, writes: Writes, weights: Weights = _NONE) -> onnx.ModelProto:
    """The group as the hub computes it, with ``weights`` in the place of its constants of these uses."""
    model = _Model(group, reads, None, weights)
    if group.activation is not None:
        model.add_activation(group.activation)
    model.write(writes)
    return model.finished()


def raw_model(group: Group, reads: Reads, plan: QuantPlan) -> onnx.ModelProto:
    """The node on the plan's integers; its output in float, before any activation and clipping."""
    model = _Model(group, reads, plan)
    model.write({group.node.outputs[0]: Stored(ir.DataType.FLOAT)})
    return model.finished()


def integer_model(group: Group, reads: Reads, writes: Writes, plan: QuantPlan) -> onnx.ModelProto:
    """The group on the plan's integers. The clipping of the output's encoding performs an implied activation."""
    model = _Model(group, reads, plan)
    if group.activation is not None and group.fusion is not None:
        if group.fusion.implied:
            model.add("Identity", [value_name(group.node.outputs[0])], value_name(group.outputs[0]))
        else:
            model.add_activation(group.activation)
    model.write(writes)
    return model.finished()


def stored_name(value: ir.Value) -> str:
    """Name of a stored value at the border of a model."""
    return f"{value_name(value)}:stored"


class _Model:
    """Decoded inputs and the node itself; activation and outputs are added by the callers."""

    def __init__(self, group: Group, reads: Reads, plan: QuantPlan | None, weights: Weights = _NONE) -> None:
        self._graph = onnx.GraphProto(name=group.name)
        self._plan = plan
        self._weights = weights
        self._reads = reads
        for value, stored in reads.items():
            self._graph.input.append(_border(value, stored))
            self._decode(value, stored)
        self._add_node(group.node)

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self._graph.node.append(onnx.helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def add_activation(self, node: ir.Node) -> None:
        proto = ir.to_proto(node)
        for index, value in enumerate(node.inputs):
            if value is not None and is_constant(value):
                proto.input[index] = self._constant(f"activation:{index}", _array(value))
        self._graph.node.append(proto)

    def write(self, writes: Writes) -> None:
        """Make ``writes`` the outputs, encoded as they are stored."""
        for value, stored in writes.items():
            name = value_name(value)
            if stored.params is not None:
                self._quantize(name, stored.params, stored_name(value))
            elif stored.dtype == value.dtype:
                self.add("Identity", [name], stored_name(value))
            else:
                self.add("Cast", [name], stored_name(value), to=int(stored.dtype))
            self._graph.output.append(_border(value, stored))

    def finished(self) -> onnx.ModelProto:
        opsets = [onnx.helper.make_opsetid("", OPSET)]
        return onnx.helper.make_model(self._graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _decode(self, value: ir.Value, stored: Stored) -> None:
        """The stored value in the model's own type, under its hub name."""
        if stored.params is not None:
            self._dequantize(stored_name(value), stored.params, value_name(value))
        elif stored.dtype == value.dtype:
            self.add("Identity", [stored_name(value)], value_name(value))
        else:
            assert value.dtype is not None
            self.add("Cast", [stored_name(value)], value_name(value), to=int(value.dtype))

    def _add_node(self, node: ir.Node) -> None:
        proto = ir.to_proto(node)
        for index, value in enumerate(node.inputs):
            if value is None:
                continue
            use = Use(name_of(node), index)
            proto.input[index] = self._operand(use, value) if is_constant(value) else self._read(use, value)
        for value in captured(node):
            if is_constant(value) and value_name(value) not in {each.name for each in self._graph.initializer}:
                self._constant(value_name(value), _array(value))
        self._graph.node.append(proto)

    def _operand(self, use: Use, value: ir.Value) -> str:
        """A constant; where the plan has integers for it, what they stand for."""
        quantized = self._plan.constants.get(use) if self._plan else None
        array = quantized.params.dequantize(quantized.integers) if quantized else self._weights.get(use)
        array = _array(value) if array is None else array
        return self._constant(f"constant:{use.index}", array)

    def _read(self, use: Use, value: ir.Value) -> str:
        """An input in the encoding in which an integer node reads it."""
        name = value_name(value)
        if self._plan is None or self._plan.execution(use.node) is not Execution.INTEGER:
            return name
        wanted, own = self._plan.encoding(use, name), self._reads[value].params
        if wanted is None or (own is not None and own.same_as(wanted)):
            return name
        integers = self._quantize(name, wanted, f"{name}:integers:{use.index}")
        return self._dequantize(integers, wanted, f"{name}:read:{use.index}")

    def _quantize(self, name: str, params: QuantParams, output: str) -> str:
        return self.add("QuantizeLinear", [name, *self._encoding(params, output)], output)

    def _dequantize(self, name: str, params: QuantParams, output: str) -> str:
        return self.add("DequantizeLinear", [name, *self._encoding(params, output)], output)

    def _encoding(self, params: QuantParams, owner: str) -> tuple[str, str]:
        scale = self._constant(f"{owner}:scale", params.scale)
        return scale, self._constant(f"{owner}:zero_point", params.zero_point.astype(params.dtype.dtype))

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        self._graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name


def _border(value: ir.Value, stored: Stored) -> onnx.ValueInfoProto:
    shape = None if value.shape is None else [dim if isinstance(dim, int) else dim.value for dim in value.shape]
    return onnx.helper.make_tensor_value_info(stored_name(value), int(stored.dtype), shape)


def _array(value: ir.Value) -> NDArray[Any]:
    assert value.const_value is not None
    return value.const_value.numpy()
