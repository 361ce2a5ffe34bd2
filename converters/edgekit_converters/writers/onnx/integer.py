"""`IntegerPart`: where quantize and dequantize nodes stand around the nodes that compute on integers.

ONNX Runtime turns ``DequantizeLinear -> op -> QuantizeLinear`` into one integer kernel when the op's output goes to the
QuantizeLinear alone; so every reader of an integer node's output reads it dequantized, float readers and model outputs too.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.recipe import IoType
from edgekit_converters.quantize.params import QuantParams, QuantType
from edgekit_converters.quantize.quant_plan import QuantizedConstant, QuantPlan, Use
from edgekit_converters.quantize.scheme import is_constant, name_of, value_name
from edgekit_converters.writers.end_encoding import end_encoding
from edgekit_converters.writers.onnx.editor import GraphEditor


class IntegerPart:
    """Holds, per encoded hub value, its integers and its dequantized forms; each is made once, on first need."""

    def __init__(self, editor: GraphEditor, plan: QuantPlan, activation_type: QuantType) -> None:
        self._editor = editor
        self._plan = plan
        self._type = activation_type
        self._hub_names = {value: value_name(value) for value in editor.graph.inputs}
        for node in editor.graph:
            self._hub_names.update((value, value_name(value)) for value in node.outputs if value.name)
        self._integers: dict[str, ir.Value] = {}
        self._readable: dict[tuple[str, bytes], ir.Value] = {}

    def place(self, node: ir.Node) -> None:
        """Let the node read integers and give integers."""
        outputs = self._outputs(node)
        for index, value in enumerate(node.inputs):
            use = Use(name_of(node), index)
            if value is None:
                continue
            if (constant := self._plan.constants.get(use)) is not None:
                node.replace_input_with(index, self._constant(constant, value))
            elif not is_constant(value) and (params := self._plan.encoding(use, self._hub_name(value))) is not None:
                node.replace_input_with(index, self._dequantized(value, params))
        for hub_name, value in outputs:
            self._give_integers(hub_name, value)

    def set_io(self, io: IoType) -> None:
        """Give the model's inputs and outputs the element type asked for. Raises ConversionError where one stays float."""
        for value in self._editor.graph.inputs:
            if (params := self._end(value, io)) is not None:
                self._take_integers(value, params)
        for place, value in enumerate(list(self._editor.graph.outputs)):
            if (params := self._end(value, io)) is not None:
                self._editor.graph.outputs[place] = self._integer_output(value, params)

    def _outputs(self, node: ir.Node) -> list[tuple[str, ir.Value]]:
        """(hub name, value) of what leaves the node; an implied clamp is removed, another one stays behind the node."""
        fusion = self._plan.fusions.get(name_of(node))
        if fusion is None:
            return [(value_name(value), value) for value in node.outputs if value.name in self._plan.values]
        clamp = next(iter(node.outputs[0].uses())).node
        if not fusion.implied:
            return [(fusion.output, clamp.outputs[0])]
        self._editor.replace(clamp.outputs[0], node.outputs[0])
        self._editor.graph.remove(clamp, safe=True)
        return [(fusion.output, node.outputs[0])]

    def _give_integers(self, hub_name: str, value: ir.Value) -> None:
        """Quantize ``value``; all its readers read what the integers say."""
        params = self._plan.values[hub_name].stored_as(self._type)
        integers = self._editor.quantize(value, params, hub_name)
        readable = self._editor.dequantize(integers, params, hub_name)
        self._editor.replace(value, readable, except_by=integers.producer())
        self._hub_names[readable] = hub_name
        self._integers[hub_name] = integers
        self._readable[hub_name, _key(params)] = readable

    def _dequantized(self, value: ir.Value, wanted: QuantParams) -> ir.Value:
        """The form of ``value`` that a reader in encoding ``wanted`` takes."""
        hub_name, params = self._hub_name(value), wanted.stored_as(self._type)
        key = (hub_name, _key(params))
        if key not in self._readable:
            integers = self._editor.quantize(value, params, hub_name)
            self._integers.setdefault(hub_name, integers)
            self._readable[key] = self._editor.dequantize(integers, params, hub_name)
        return self._readable[key]

    def _hub_name(self, value: ir.Value) -> str:
        """The hub's name of a value, or of the one in whose place another part of the writer put it."""
        return self._hub_names[value if value in self._hub_names else self._editor.original(value)]

    def _constant(self, constant: QuantizedConstant, original: ir.Value) -> ir.Value:
        """Weights stay int8 and biases int32; constant operands are stored as the activations are."""
        params, integers = constant.params, constant.integers
        if params.dtype is QuantType.INT8 and not params.symmetric_range:
            shift = self._type.low - params.dtype.low
            integers = (integers.astype(np.int32) + shift).astype(self._type.dtype)
            params = params.stored_as(self._type)
        name = value_name(original)
        stored = self._editor.initializer(f"{name}_{params.dtype.numpy_name}", integers)
        return self._editor.dequantize(stored, params, name)

    def _end(self, value: ir.Value, io: IoType) -> QuantParams | None:
        dtype = "" if value.dtype is None else value.dtype.numpy().name
        return end_encoding(value_name(value), dtype, self._plan, io)

    def _take_integers(self, value: ir.Value, params: QuantParams) -> None:
        """Make an input integer: its quantize node falls away, float readers read it dequantized."""
        readable = self._editor.dequantize(value, params, value_name(value))
        self._editor.replace(value, readable, except_by=readable.producer())
        value.type = ir.TensorType(ir.DataType.from_numpy(params.dtype.dtype))  # not .dtype: clones share type objects
        integers = self._integers.get(value_name(value))
        if integers is not None and params.dtype is self._type:
            self._editor.replace(integers, value)

    def _integer_output(self, value: ir.Value, params: QuantParams) -> ir.Value:
        """The integers behind a float output, under the output's name."""
        name = value_name(value)
        integers = self._integers.get(name)
        if integers is None or params.dtype is not self._type:
            integers = self._editor.quantize(value, params, name)
        value.name, integers.name = f"{name}_real", name
        return integers


def _key(params: QuantParams) -> bytes:
    return params.scale.tobytes() + params.zero_point.tobytes()
