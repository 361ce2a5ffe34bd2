"""One form for fully connected layers: Gemm with weights (outputs, inputs), a bias, and no factors."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import Editor, attribute, constant, nodes_of, producer, sole_consumer


def form_gemm(model: ir.Model) -> int:
    """Bring MatMul of rank 2 with a constant, and Gemm, to ``Gemm(x, W (out, in), b (out,), transB=1)``.

    Requires: inferred shapes. Ensures: alpha = beta = 1 and transB = 1 where the weight is constant. Returns the changes.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "MatMul"):
        weight = constant(node.inputs[1])
        source = node.inputs[0]
        if weight is not None and weight.ndim == 2 and weight.dtype == np.float32 and _rank(source) == 2:
            name = node.inputs[1].name if node.inputs[1] is not None else None
            turned = edit.constant(np.ascontiguousarray(weight.T), name or "weight")
            edit.replace_node(node, edit.node("Gemm", [source, turned], before=node, like=node.outputs[0], transB=1))
            changes += 1
    for node in nodes_of(model, "Gemm"):
        changes += _unify(node, edit)
    for node in nodes_of(model, "Add"):
        changes += _take_bias(node, edit)
    return changes


def give_bias(model: ir.Model) -> int:
    """Give every Conv, ConvTranspose and Gemm with a constant weight a bias, of zeros if need be.

    Quantizing corrects errors in the bias, and the integer kernels want one. Returns the biases added.
    """
    edit = Editor(model)
    added = 0
    for node in nodes_of(model, "Conv", "ConvTranspose", "Gemm"):
        weight = constant(node.inputs[1])
        if weight is None or weight.dtype != np.float32 or (len(node.inputs) > 2 and node.inputs[2] is not None):
            continue
        outputs = weight.shape[0]
        if node.op_type == "ConvTranspose":
            outputs = weight.shape[1] * attribute(node, "group", 1)
        elif node.op_type == "Gemm" and not attribute(node, "transB", 0):
            outputs = weight.shape[1]
        node.resize_inputs(3)
        node.replace_input_with(2, edit.constant(np.zeros(outputs, np.float32), f"{node.name}_bias"))
        added += 1
    return added


def _unify(node: ir.Node, edit: Editor) -> int:
    weight = constant(node.inputs[1])
    if weight is None or weight.dtype != np.float32:
        return 0
    return _fold_weight_factors(node, weight, edit) + _fold_bias_form(node, edit)


def _fold_weight_factors(node: ir.Node, weight: NDArray[np.float32], edit: Editor) -> int:
    alpha, turned = attribute(node, "alpha", 1.0), attribute(node, "transB", 0)
    if alpha == 1.0 and turned:
        return 0
    name = node.inputs[1].name if node.inputs[1] is not None else None
    unified = np.ascontiguousarray(weight if turned else weight.T)
    if alpha != 1.0:
        unified = (unified * np.float32(alpha)).astype(np.float32)
    node.replace_input_with(1, edit.constant(unified, name or "weight"))
    node.attributes["alpha"] = ir.AttrFloat32("alpha", 1.0)
    node.attributes["transB"] = ir.AttrInt64("transB", 1)
    return 1


def _fold_bias_form(node: ir.Node, edit: Editor) -> int:
    """A bias of shape (out,), with beta folded in; one that differs by row stays."""
    bias_value = node.inputs[2] if len(node.inputs) > 2 else None
    bias, weight = constant(bias_value), constant(node.inputs[1])
    if bias is None or weight is None:
        return 0
    beta = attribute(node, "beta", 1.0)
    outputs = weight.shape[0]
    if (beta == 1.0 and bias.shape == (outputs,)) or not _is_row(bias.shape, outputs):
        return 0
    row = np.broadcast_to(bias.reshape(-1) * np.float32(beta), (outputs,)).astype(np.float32)
    name = bias_value.name if bias_value is not None else None
    node.replace_input_with(2, edit.constant(row, name or "bias"))
    node.attributes["beta"] = ir.AttrFloat32("beta", 1.0)
    return 1


def _is_row(shape: tuple[int, ...], outputs: int) -> bool:
    return all(size == 1 for size in shape[:-1]) and (not shape or shape[-1] in (1, outputs))


def _take_bias(node: ir.Node, edit: Editor) -> int:
    """``Gemm(x, W) + b`` with a constant row; with a bias already there, `fold_affine` adds the two."""
    for source, summand in (node.inputs, tuple(node.inputs)[::-1]):
        gemm, bias = producer(source, "Gemm"), constant(summand)
        if gemm is None or source is None or bias is None or sole_consumer(source) is not node:
            continue
        weight = constant(gemm.inputs[1])
        if len(gemm.inputs) > 2 or weight is None or not _is_row(bias.shape, weight.shape[0]) or bias.ndim > 2:
            continue
        row = np.broadcast_to(bias.reshape(-1), (weight.shape[0],))
        gemm.resize_inputs(3)
        name = summand.name if summand is not None else None
        gemm.replace_input_with(2, edit.constant(np.array(row, np.float32), name or "bias"))
        kept = gemm.name
        edit.replace_node(node, gemm.outputs[0])
        gemm.name = kept or gemm.name
        return 1
    return 0


def _rank(value: ir.Value | None) -> int | None:
    return None if value is None or value.shape is None else len(value.shape)
