"""Int8 and float16 weights for nodes whose activations stay float."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.quantize.quant_plan import QuantPlan, Use
from edgekit_converters.quantize.scheme import name_of, value_name
from edgekit_converters.writers.onnx.editor import GraphEditor

SMALLEST_HALF_CONSTANT = 128
"""Elements from which a float constant is worth storing as float16."""

LARGEST_HALF = float(np.finfo(np.float16).max)


def weight_only(editor: GraphEditor, node: ir.Node, plan: QuantPlan) -> None:
    """Turn int8 weights into float in front of a float node.

    Written as Cast and Mul, which ONNX Runtime folds when it loads the file. It never folds a DequantizeLinear, and would
    run the node without its packed weights: a convolutional network gets three times slower.
    """
    for index, value in enumerate(node.inputs):
        constant = plan.constants.get(Use(name_of(node), index))
        if constant is None or value is None:
            continue
        name, params = value_name(value), constant.params
        shape = [1] * constant.integers.ndim
        if params.axis is not None:
            shape[params.axis] = -1
        stored = editor.initializer(f"{name}_int8", constant.integers)
        scale = editor.initializer(f"{name}_scale", params.scale.reshape(shape))
        (real,) = editor.node("Cast", [stored], name, to=ir.DataType.FLOAT)
        node.replace_input_with(index, editor.node("Mul", [real, scale], name)[0])


def look_up(editor: GraphEditor, node: ir.Node, plan: QuantPlan) -> None:
    """Rows of an int8 embedding, made float afterwards: its columns have scales of their own."""
    constant = plan.constants[Use(name_of(node), 0)]
    name = value_name(node.inputs[0])
    stored = editor.initializer(f"{name}_int8", constant.integers)
    (rows,) = editor.node("Gather", [stored, node.inputs[1]], name_of(node), axis=0)
    (real,) = editor.node("Cast", [rows], name, to=ir.DataType.FLOAT)
    (result,) = editor.node("Mul", [real, editor.initializer(f"{name}_scale", constant.params.scale)], name)
    result.shape, result.type = node.outputs[0].shape, node.outputs[0].type
    editor.replace(node.outputs[0], result)


def dynamic_matmul(editor: GraphEditor, node: ir.Node, plan: QuantPlan) -> None:
    """DynamicQuantizeLinear, MatMulInteger, scale, bias: standard ops that ONNX Runtime fuses into one integer kernel.

    A Gemm with transA, alpha or beta keeps its float kernel on int8 weights.
    """
    plain = node.op_type == "MatMul" or not any(node.attributes.get(name) for name in ("transA", "alpha", "beta"))
    constant = plan.constants.get(Use(name_of(node), 1))
    if constant is None or not plain:
        weight_only(editor, node, plan)
        return
    name = name_of(node)
    transposed = node.op_type == "Gemm" and node.attributes.get_int("transB", 0) == 1
    integers = np.ascontiguousarray(constant.integers.T if transposed else constant.integers)
    weight = editor.initializer(f"{name}_weight_int8", integers)
    zero_point = editor.initializer(f"{name}_weight_zero_point", np.zeros(constant.params.scale.shape, np.int8))
    weight_scale = editor.initializer(f"{name}_weight_scale", constant.params.scale)
    data, data_scale, data_zero = editor.node("DynamicQuantizeLinear", [node.inputs[0]], name, outputs=3)
    (product,) = editor.node("MatMulInteger", [data, weight, data_zero, zero_point], name)
    (real,) = editor.node("Cast", [product], name, to=ir.DataType.FLOAT)
    (scale,) = editor.node("Mul", [data_scale, weight_scale], name)
    (result,) = editor.node("Mul", [real, scale], name)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        (result,) = editor.node("Add", [result, node.inputs[2]], name)
    result.shape, result.type = node.outputs[0].shape, node.outputs[0].type
    editor.replace(node.outputs[0], result)


def halve_constants(editor: GraphEditor, node: ir.Node) -> None:
    """Store large float constants as float16 behind a Cast; values beyond float16's range keep them float."""
    for index, value in enumerate(node.inputs):
        if value is None or value.const_value is None or value.dtype != ir.DataType.FLOAT:
            continue
        array = value.const_value.numpy()
        if array.size < SMALLEST_HALF_CONSTANT or not (np.abs(array) <= LARGEST_HALF).all():
            continue
        stored = editor.initializer(f"{value_name(value)}_float16", array.astype(np.float16))
        (read,) = editor.node("Cast", [stored], value_name(value), to=ir.DataType.FLOAT)
        read.shape, read.type = value.shape, ir.TensorType(ir.DataType.FLOAT)
        node.replace_input_with(index, read)
