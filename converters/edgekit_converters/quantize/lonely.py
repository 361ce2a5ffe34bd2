"""Dense layers that stand alone between values in float: the head of a recurrent network, say.

A calibrated encoding of such a layer's result would be read by no integer layer: it only rounds, and clips what lies beyond the
samples. Networks on spoken digits with such a head, calibrated and not: GRU 44 and 50 dB; a plain RNN whose largest logits the
samples had missed 19 and 36 dB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import onnx_ir as ir

from edgekit_converters.quantize.quant_plan import Execution, NodePlan
from edgekit_converters.quantize.tokens import bias_addition
from edgekit_converters.rules import RULES, Encoding

FEWEST_WEIGHTS = 4096
"""Of a dense layer, from which quantizing its input per call saves time; a smaller one multiplies in float."""

_REASON = "int8 weights; it stands alone between values in float"


def lonely_products(
    nodes: Iterable[ir.Node], islands: Iterable[Collection[str]], fusions: Collection[str]
) -> Iterator[tuple[str, NodePlan]]:
    """New plans for the nodes of islands in which one dense layer, with its bias addition, is all that computes.

    ``islands``: names of connected integer nodes; ``fusions``: nodes that perform a clamp. An island that the model's input
    reaches keeps its integers: they are what an input as int8 is for.
    """
    by_name = {node.name or "": node for node in nodes}
    for island in islands:
        members = [by_name[name] for name in island]
        if set(island) & set(fusions) or any(value is not None and value.is_graph_input() for value in _read(members)):
            continue
        computing = [node for node in members if RULES[node.op_type].output is not Encoding.SHARED]
        products = [node for node in computing if node.op_type in ("Gemm", "MatMul")]
        if len(products) == 1 and set(computing) == {products[0], *_addition(products[0])}:
            yield from ((name, NodePlan(Execution.FLOAT)) for name in island)
            yield products[0].name or "", _alone(products[0])


def _alone(product: ir.Node) -> NodePlan:
    weight = product.inputs[1]
    assert weight is not None
    assert weight.const_value is not None
    small = weight.const_value.size < FEWEST_WEIGHTS
    return NodePlan(Execution.WEIGHT_ONLY if small else Execution.DYNAMIC, _REASON)


def _read(members: Iterable[ir.Node]) -> Iterator[ir.Value | None]:
    return (value for node in members for value in node.inputs)


def _addition(product: ir.Node) -> tuple[ir.Node, ...]:
    found = bias_addition(product)
    return () if found is None else (found[0],)
