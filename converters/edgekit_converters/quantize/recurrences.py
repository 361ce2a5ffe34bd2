"""Recurrent layers that an exporter wrote step by step: the same weights, each product reading what the one before led to.

PyTorch's exporter does this to ``torch.nn.RNN``. Its state in 8 bits costs such a layer what it costs any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx_ir as ir

from edgekit_converters.quantize.quant_plan import Execution, NodePlan
from edgekit_converters.quantize.walks import makers, reached, readers

_REASON = "int8 weights; it is a step of a recurrent layer, whose state needs more than 8 bits"
_PRODUCTS = ("Gemm", "MatMul")
_STOPS = ("Conv", "ConvTranspose")
_FEWEST_STEPS = 3


def unrolled_recurrences(nodes: Sequence[ir.Node], planned: Mapping[str, NodePlan]) -> Iterator[tuple[str, NodePlan]]:
    """New plans for the steps, what stands between them, and what only leads there, up to the next convolution, or comes behind,
    up to the next layer."""
    floats: set[ir.Node] = set()
    for group in _equal_weights(nodes, planned):
        behind = reached(group[0], readers)
        if set(group[1:]) <= behind:
            floats |= {*group} | (behind & reached(group[-1], makers))
    for node in nodes:
        if node.op_type not in (*_PRODUCTS, *_STOPS) and floats & set(makers(node)):
            floats.add(node)
    for node in reversed(nodes):
        if (
            floats
            and node not in floats
            and node.op_type not in _STOPS
            and (found := set(readers(node)))
            and found <= floats
        ):
            floats.add(node)
    for node in nodes:
        name = node.name or ""
        if node in floats and planned[name].execution is Execution.INTEGER:
            weighted = node.op_type in _PRODUCTS
            yield name, NodePlan(Execution.WEIGHT_ONLY, _REASON) if weighted else NodePlan(Execution.FLOAT)


def _equal_weights(nodes: Iterable[ir.Node], planned: Mapping[str, NodePlan]) -> Iterator[list[ir.Node]]:
    """Integer products with equal matrices, in order."""
    groups: dict[tuple[str, tuple[int, ...], bytes], list[ir.Node]] = {}
    for node in nodes:
        if node.op_type in _PRODUCTS and planned[node.name or ""].execution is Execution.INTEGER:
            weight = node.inputs[1]
            assert weight is not None
            assert weight.const_value is not None
            array = weight.const_value.numpy()
            groups.setdefault((node.op_type, array.shape, array.tobytes()), []).append(node)
    return (group for group in groups.values() if len(group) >= _FEWEST_STEPS)
