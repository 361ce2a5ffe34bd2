"""`ProductPart`: products of tokens and int8 weights with float results, as the Gemm that ONNX Runtime computes on integers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import producer, sole_consumer
from edgekit_converters.quantize.params import QuantParams, QuantType
from edgekit_converters.quantize.quant_plan import Execution, QuantPlan, Use
from edgekit_converters.quantize.scheme import name_of, value_name
from edgekit_converters.quantize.tokens import bias_addition
from edgekit_converters.writers.onnx.editor import GraphEditor


class ProductPart:
    """Keeps the integers of every value that products read, so that several (query, key, value) share one quantization.

    A Gemm: ONNX Runtime's QGemm takes the bias in and gives float, in one kernel; a MatMul followed by an Add runs in float.
    """

    def __init__(self, editor: GraphEditor, plan: QuantPlan, activation_type: QuantType) -> None:
        self._editor = editor
        self._plan = plan
        self._type = activation_type
        self._rows: dict[tuple[ir.Value, bytes], ir.Value] = {}

    def place(self, node: ir.Node) -> None:
        """Put ``Reshape -> QuantizeLinear -> DequantizeLinear -> Gemm -> Reshape`` in the place of a product and its bias."""
        name, editor = name_of(node), self._editor
        source = node.inputs[0]
        assert source is not None
        operands = [self._quantized_rows(source, self._plan.uses[Use(name, 0)]), self._constant(node, 1)]
        last, addition = node, bias_addition(node)
        if addition is not None:
            last, index = addition
            operands.append(self._constant(last, index))
        (rows,) = editor.node("Gemm", operands, name)
        apart = self._computed_apart(last.outputs[0])
        if apart is not None:
            last, product = apart
            rows = self._added(rows, product)
        result = self._reshaped(rows, last.outputs[0], source, name)
        editor.replace(last.outputs[0], result)

    def _computed_apart(self, value: ir.Value) -> tuple[ir.Node, ir.Node] | None:
        """The Add of a float product of a few channels that alone reads ``value``, and that product: outliers of smoothing."""
        addition = sole_consumer(value)
        if addition is None or addition.op_type != "Add":
            return None
        other = next((each for each in addition.inputs if each is not value), None)
        product = producer(other, "MatMul")
        if product is None or other is None or sole_consumer(other) is None or other.shape != value.shape:
            return None
        weight = product.inputs[1]
        constant = weight is not None and weight.const_value is not None and len(weight.const_value.shape) == 2
        return (addition, product) if constant and self._plan.execution(name_of(product)) is Execution.FLOAT else None

    def _added(self, rows: ir.Value, product: ir.Node) -> ir.Value:
        """``rows`` and the product as one Gemm, which adds where it writes: an Add of its own reads and writes all rows again."""
        source, weight = product.inputs
        assert source is not None
        name = name_of(product)
        return self._editor.node("Gemm", [self._flat(source, name), weight, rows], name)[0]

    def _flat(self, value: ir.Value, name: str) -> ir.Value:
        """(tokens, channels)"""
        assert value.shape is not None
        target = self._editor.initializer(f"{name}_rows", np.array([-1, value.shape[-1]], np.int64))
        (rows,) = self._editor.node("Reshape", [value, target], name)
        rows.type = value.type
        return rows

    def _quantized_rows(self, source: ir.Value, params: QuantParams) -> ir.Value:
        stored = params.stored_as(self._type)
        key = (source, stored.scale.tobytes() + stored.zero_point.tobytes())
        if key not in self._rows:
            name = value_name(source)
            rows = self._flat(source, name)
            self._rows[key] = self._editor.dequantize(self._editor.quantize(rows, stored, name), stored, name)
        return self._rows[key]

    def _constant(self, node: ir.Node, index: int) -> ir.Value:
        constant, name = self._plan.constants[Use(name_of(node), index)], value_name(node.inputs[index])
        stored = self._editor.initializer(f"{name}_{constant.params.dtype.numpy_name}", constant.integers)
        return self._editor.dequantize(stored, constant.params, name)

    def _reshaped(self, rows: ir.Value, like: ir.Value, source: ir.Value, name: str) -> ir.Value:
        """The rows in the shape of ``like``; where its sizes are not known, those of ``source`` are read at run time."""
        assert like.shape is not None
        sizes, editor = [size for size in like.shape[1:] if isinstance(size, int)], self._editor
        if len(sizes) == len(like.shape) - 1:
            target = editor.initializer(f"{name}_shape", np.array([-1, *sizes], np.int64))
        else:
            (outer,) = editor.node("Shape", [source], name, end=-1)
            columns = editor.initializer(f"{name}_columns", np.array([like.shape[-1]], np.int64))
            (target,) = editor.node("Concat", [outer, columns], name, axis=0)
        (result,) = editor.node("Reshape", [rows, target], name)
        result.shape, result.type = like.shape, like.type
        return result
