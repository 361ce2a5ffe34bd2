"""Spell operators without an integer kernel with ones that have one, before the model is planned in int8.

Float files keep the operators: there a HardSwish is one kernel and this would be four.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, constant, dims, nodes_of
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.remove_no_ops import remove_dead_code


def integer_forms(hub: Hub) -> Hub:
    """A hub that computes the same (but for the last bits of float32) with ops that runtimes know in integers.

    A BatchNormalization that nothing could absorb becomes a depthwise 1 x 1 convolution, HardSwish and HardSigmoid become
    sums, products and a clamp that the output's range performs, a quotient by a constant a product.
    """
    result = hub.clone()
    model = result.model
    changes = sum(rewrite(model) for rewrite in (_batch_normalizations, _hard_activations, _quotients))
    if changes:
        remove_dead_code(model)
        infer_shapes(model)
    return result


def _batch_normalizations(model: ir.Model) -> int:
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "BatchNormalization"):
        shape = dims(node.inputs[0])
        parameters = [constant(value) for value in node.inputs[1:5]]
        if shape is None or len(shape) not in (3, 4) or any(array is None for array in parameters):
            continue
        gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in parameters)
        factor = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
        spatial = len(shape) - 2
        weight = edit.constant(factor.astype(np.float32).reshape(-1, 1, *[1] * spatial), f"{node.name}/factor")
        bias = edit.constant((beta - mean * factor).astype(np.float32), f"{node.name}/offset")
        inputs = [node.inputs[0], weight, bias]
        conv = edit.node("Conv", inputs, node, node.outputs[0], group=factor.size, kernel_shape=[1] * spatial)
        edit.replace_node(node, conv)
        changes += 1
    return changes


def _hard_activations(model: ir.Model) -> int:
    edit = Editor(model)
    found = nodes_of(model, "HardSwish", "HardSigmoid")
    for node in found:
        value, like = node.inputs[0], node.outputs[0]
        swish = node.op_type == "HardSwish"
        alpha = 1 / 6 if swish else attribute(node, "alpha", 0.2)
        beta = 0.5 if swish else attribute(node, "beta", 0.5)
        scaled = edit.node("Mul", [value, edit.floats(alpha)], node, like)
        moved = edit.node("Add", [scaled, edit.floats(beta)], node, like)
        gate = edit.node("Clip", [moved, edit.floats(0.0), edit.floats(1.0)], node, like)
        edit.replace_node(node, edit.node("Mul", [value, gate], node, like) if swish else gate)
    return len(found)


def _quotients(model: ir.Model) -> int:
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "Div"):
        divisor = constant(node.inputs[1])
        if divisor is None or divisor.dtype != np.float32 or not (np.abs(divisor) > 1e-30).all():
            continue
        reciprocal = edit.constant((1.0 / divisor.astype(np.float64)).astype(np.float32), f"{node.name}/reciprocal")
        edit.replace_node(node, edit.node("Mul", [node.inputs[0], reciprocal], node, node.outputs[0]))
        changes += 1
    return changes
