"""What int8 means in a network over tokens: Transformers, and whatever else normalizes layers or multiplies activations.

Measured on a sentence encoder (cosine of its embeddings with those in float, one kind of value quantized at a time): masked
scores .38, the residual stream .84, layer normalization .992, weights per column .9995. So products with weights read integers,
and all that flows between them stays float.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import onnx_ir as ir

from edgekit_converters.quantize.quant_plan import Execution, NodePlan
from edgekit_converters.rules import CLAMPS, RULES, Role

SMALLEST_TABLE = 4096
"""Numbers in an embedding from which int8 rows are worth their scaling."""


FEWEST_INPUTS = 16
"""Of a product, from which integers save more than quantizing costs."""


FEWEST_OUTPUTS = 16
"""Of a dense layer between float numbers, likewise: a head of 10 classes is slower with conversions around it."""


def is_small_layer(node: ir.Node) -> bool:
    """Whether it is a dense layer that computes faster in float, unless integers come and go anyway."""
    return node.op_type in ("Gemm", "MatMul") and _computes(node) and 0 < _outputs(node) < FEWEST_OUTPUTS


def _outputs(node: ir.Node) -> int:
    shape = node.outputs[0].shape
    columns = shape[-1] if shape is not None and len(shape) else 0
    return columns if isinstance(columns, int) else 0


def works_on_tokens(nodes: Iterable[ir.Node]) -> bool:
    """Whether there is a layer normalization, or a product of two computed matrices."""
    return any(
        node.op_type == "LayerNormalization"
        or (node.op_type == "MatMul" and all(value is not None and value.const_value is None for value in node.inputs))
        for node in nodes
    )


def is_table(node: ir.Node) -> bool:
    """Whether the node looks up rows of a constant matrix: an embedding."""
    table = node.inputs[0] if node.op_type == "Gather" else None
    if table is None or table.const_value is None or table.dtype != ir.DataType.FLOAT:
        return False
    shape = table.const_value.shape.numpy()
    return len(shape) == 2 and math.prod(shape) >= SMALLEST_TABLE and node.attributes.get_int("axis", 0) in (0, -2)


def bias_addition(node: ir.Node) -> tuple[ir.Node, int] | None:
    """The Add of one constant a column that alone reads a product, and which of its inputs the constant is."""
    output = node.outputs[0]
    readers = [use.node for use in output.uses()]
    if len(readers) != 1 or readers[0].op_type != "Add" or output.is_graph_output():
        return None
    addition = readers[0]
    for index, value in enumerate(addition.inputs):
        tensor = value.const_value if value is not None else None
        if tensor is None or output.shape is None:
            continue
        shape, columns = tensor.shape.numpy(), output.shape[-1]
        if math.prod(shape) == columns and shape[-1] == columns and len(shape) <= len(output.shape):
            return addition, index
    return None


def products(nodes: Iterable[ir.Node], planned: Mapping[str, NodePlan]) -> Iterator[tuple[str, NodePlan]]:
    """Integer nodes that multiply every token by a constant matrix: they give float."""
    for node in nodes:
        if _execution(node, planned) is not Execution.INTEGER or not _is_token_product(node):
            continue
        if _inputs(node) < FEWEST_INPUTS:
            yield _name(node), NodePlan(Execution.FLOAT, f"its {_inputs(node)} inputs cost little in float")
        else:
            yield _name(node), NodePlan(Execution.PRODUCT)


def float_stream(nodes: Iterable[ir.Node], planned: Mapping[str, NodePlan]) -> Iterator[tuple[str, NodePlan]]:
    """Nodes without weights behind a product, up to the next layer that computes on integers, and those that only lead there."""
    ordered = list(nodes)
    behind = {_name(node) for node in ordered if _execution(node, planned) is Execution.PRODUCT}
    for node in ordered:
        if behind & _before(node) and not _computes(node):
            behind.add(_name(node))
    floats = behind | {_name(node) for node in ordered if _execution(node, planned) is not Execution.INTEGER}
    for node in reversed(ordered):
        readers = {_name(use.node) for value in node.outputs for use in value.uses()}
        # A clamp stays with the layer in front, whose output range performs it.
        if readers and readers <= floats and not _computes(node) and node.op_type not in CLAMPS:
            floats.add(_name(node))
    for node in ordered:
        if _name(node) in floats and _execution(node, planned) is Execution.INTEGER:
            yield _name(node), NodePlan(Execution.FLOAT, "it works on tokens between products, which int8 would ruin")


def _computes(node: ir.Node) -> bool:
    rule = RULES.get(node.op_type)
    return (
        rule is not None
        and rule.role is Role.COMPUTE
        and all(value is not None and value.const_value is not None for value in node.inputs[1:2])
    )


def _is_token_product(node: ir.Node) -> bool:
    shape = node.outputs[0].shape
    return node.op_type == "MatMul" and shape is not None and len(shape) >= 3


def _inputs(node: ir.Node) -> int:
    weight = node.inputs[1]
    assert weight is not None
    assert weight.const_value is not None
    return int(weight.const_value.shape.numpy()[0])


def _execution(node: ir.Node, planned: Mapping[str, NodePlan]) -> Execution:
    return planned[_name(node)].execution


def _before(node: ir.Node) -> set[str]:
    made = (value.producer() for value in node.inputs if value is not None)
    return {_name(producer) for producer in made if producer is not None}


def _name(node: ir.Node) -> str:
    assert node.name, "hub nodes have names"
    return node.name
