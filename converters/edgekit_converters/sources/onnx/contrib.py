"""Operators of ONNX Runtime's own domain ``com.microsoft``, written with standard ones.

Their meaning: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md. What is not here is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx_ir as ir

from edgekit.errors import UnsupportedLayerError
from edgekit_converters.hub.edit import Editor, attribute

Rule = Callable[[ir.Node, Editor], ir.Value]


def replace_contrib_operators(model: ir.Model, path: Path) -> None:
    """Write every node of a foreign domain with standard operators, in place. Raises UnsupportedLayerError."""
    foreign = [
        node
        for node in ir.traversal.RecursiveGraphIterator(model.graph)
        if node.domain != "" or node.op_type in _IN_DEFAULT_DOMAIN
    ]
    if foreign:
        edit = Editor(model)
        for node in foreign:
            _replace(node, edit, path)
    for domain in [domain for domain in model.graph.opset_imports if domain != ""]:
        del model.graph.opset_imports[domain]


def _replace(node: ir.Node, edit: Editor, path: Path) -> None:
    if node.domain in ("com.microsoft", "") and node.op_type in _SAME:
        node.domain = ""
        return
    rule = _RULES.get(node.op_type) if node.domain in ("com.microsoft", "") else None
    if rule is None:
        raise UnsupportedLayerError(
            f"{path}: node {node.name!r} uses {node.domain}.{node.op_type}, which edgekit can't read. Export the model with "
            "standard ONNX operators (without ONNX Runtime's optimizer, or at its level 'basic')."
        )
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:3]):
        raise _refuse(node, "its statistics are read")
    edit.replace_node(node, rule(node, edit))


def _refuse(node: ir.Node, why: str) -> UnsupportedLayerError:
    return UnsupportedLayerError(f"node {node.name!r} ({node.op_type}): {why}, which edgekit can't read")


def _input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _bias_gelu(node: ir.Node, edit: Editor) -> ir.Value:
    return _gelu_of_sum(node, edit, "none")


def _fast_gelu(node: ir.Node, edit: Editor) -> ir.Value:
    return _gelu_of_sum(node, edit, "tanh")


def _gelu_of_sum(node: ir.Node, edit: Editor, approximate: str) -> ir.Value:
    source, output = node.inputs[0], node.outputs[0]
    if (bias := _input(node, 1)) is not None:
        source = edit.node("Add", [source, bias], before=node, like=output)
    return edit.node("Gelu", [source], before=node, like=output, approximate=approximate)


def _quick_gelu(node: ir.Node, edit: Editor) -> ir.Value:
    source, output = node.inputs[0], node.outputs[0]
    alpha = edit.floats(attribute(node, "alpha", 1.702), "alpha")
    gate = edit.node("Sigmoid", [edit.node("Mul", [source, alpha], before=node, like=output)], before=node, like=output)
    return edit.node("Mul", [source, gate], before=node, like=output)


def _fused_conv(node: ir.Node, edit: Editor) -> ir.Value:
    """Conv, then the sum with a fourth input, then an activation."""
    output = node.outputs[0]
    result = _copy(node, "Conv", list(node.inputs[:3]), _CONV_ATTRIBUTES, edit)
    if (summand := _input(node, 3)) is not None:
        result = edit.node("Add", [result, summand], before=node, like=output)
    parameters = attribute(node, "activation_params", ())
    return _activation(node, attribute(node, "activation", ""), parameters, result, edit)


def _fused_gemm(node: ir.Node, edit: Editor) -> ir.Value:
    result = _copy(node, "Gemm", list(node.inputs), ("alpha", "beta", "transA", "transB"), edit)
    parameters = [attribute(node, f"activation_{name}", None) for name in ("alpha", "beta", "gamma")]
    given = tuple(number for number in parameters if number is not None)
    return _activation(node, attribute(node, "activation", ""), given, result, edit)


def _copy(node: ir.Node, op: str, inputs: list[ir.Value | None], names: tuple[str, ...], edit: Editor) -> ir.Value:
    kept = {name: attribute(node, name) for name in names if name in node.attributes}
    while inputs and inputs[-1] is None:
        inputs.pop()
    return edit.node(op, inputs, before=node, like=node.outputs[0], **kept)


def _activation(node: ir.Node, name: str, parameters: tuple[float, ...], source: ir.Value, edit: Editor) -> ir.Value:
    output = node.outputs[0]
    if not name:
        return source
    if name == "Clip" and len(parameters) == 2:
        low, high = (edit.floats(number) for number in parameters)
        return edit.node("Clip", [source, low, high], before=node, like=output)
    if name in ("Relu", "Tanh", "Sigmoid"):
        return edit.node(name, [source], before=node, like=output)
    if name == "LeakyRelu" and len(parameters) == 1:
        return edit.node(name, [source], before=node, like=output, alpha=parameters[0])
    if name == "HardSigmoid" and len(parameters) == 2:
        return edit.node(name, [source], before=node, like=output, alpha=parameters[0], beta=parameters[1])
    raise _refuse(node, f"it ends in {name} with the parameters {parameters}")


def _fused_matmul(node: ir.Node, edit: Editor) -> ir.Value:
    if attribute(node, "transBatchA", 0) or attribute(node, "transBatchB", 0):
        raise _refuse(node, "it transposes its batch axes")
    operands = []
    for value, name in zip(node.inputs, ("transA", "transB"), strict=True):
        if attribute(node, name, 0):
            rank = len(value.shape) if value is not None and value.shape is not None else 0
            if rank < 2:
                raise _refuse(node, "it transposes a value of unknown rank")
            order = (*range(rank - 2), rank - 1, rank - 2)
            value = edit.node("Transpose", [value], before=node, perm=order)
        operands.append(value)
    result = edit.node("MatMul", operands, before=node, like=node.outputs[0])
    if (alpha := attribute(node, "alpha", 1.0)) == 1.0:
        return result
    return edit.node("Mul", [result, edit.floats(alpha, "alpha")], before=node, like=node.outputs[0])


def _skip_layer_normalization(node: ir.Node, edit: Editor) -> ir.Value:
    total = _skip_sum(node, _input(node, 4), edit)
    inputs = [total, node.inputs[2], *([bias] if (bias := _input(node, 3)) is not None else [])]
    epsilon = attribute(node, "epsilon", 1e-12)
    return edit.node("LayerNormalization", inputs, before=node, like=node.outputs[0], axis=-1, epsilon=epsilon)


def _skip_simplified_layer_normalization(node: ir.Node, edit: Editor) -> ir.Value:
    total = _skip_sum(node, _input(node, 3), edit)
    return _root_mean_square(total, node.inputs[2], attribute(node, "epsilon", 1e-12), node, edit)


def _simplified_layer_normalization(node: ir.Node, edit: Editor) -> ir.Value:
    source = node.inputs[0]
    rank = len(source.shape) if source is not None and source.shape is not None else 0
    if attribute(node, "axis", -1) not in (-1, rank - 1):
        raise _refuse(node, "it normalizes several axes")
    assert source is not None
    return _root_mean_square(source, node.inputs[1], attribute(node, "epsilon", 1e-5), node, edit)


def _skip_sum(node: ir.Node, bias: ir.Value | None, edit: Editor) -> ir.Value:
    """Input + skip + bias; also the node's fourth output."""
    output = node.outputs[0]
    total = edit.node("Add", [node.inputs[0], node.inputs[1]], before=node, like=output)
    if bias is not None:
        total = edit.node("Add", [total, bias], before=node, like=output)
    if len(node.outputs) > 3 and (node.outputs[3].uses() or node.outputs[3].is_graph_output()):
        edit.replace(node.outputs[3], total)
    return total


def _root_mean_square(
    source: ir.Value, scale: ir.Value | None, epsilon: float, node: ir.Node, edit: Editor
) -> ir.Value:
    """``x / sqrt(mean(x^2) + epsilon) * scale`` over the last axis."""
    output = node.outputs[0]
    square = edit.node("Mul", [source, source], before=node, like=output)
    mean = edit.node("ReduceMean", [square, edit.index([-1], "axes")], before=node, keepdims=1)
    root = edit.node("Sqrt", [edit.node("Add", [mean, edit.floats(epsilon, "epsilon")], before=node)], before=node)
    quotient = edit.node("Div", [source, root], before=node, like=output)
    return edit.node("Mul", [quotient, scale], before=node, like=output)


_CONV_ATTRIBUTES = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_SAME = frozenset({"DequantizeLinear", "Gelu", "LayerNormalization", "QuantizeLinear"})
"""Operators that the default domain has with the same meaning."""
_IN_DEFAULT_DOMAIN = frozenset({"SimplifiedLayerNormalization"})
_RULES: dict[str, Rule] = {
    "BiasGelu": _bias_gelu,
    "FastGelu": _fast_gelu,
    "FusedConv": _fused_conv,
    "FusedGemm": _fused_gemm,
    "FusedMatMul": _fused_matmul,
    "QuickGelu": _quick_gelu,
    "SimplifiedLayerNormalization": _simplified_layer_normalization,
    "SkipLayerNormalization": _skip_layer_normalization,
    "SkipSimplifiedLayerNormalization": _skip_simplified_layer_normalization,
}
