"""Which nodes of a file without float operators compute on 16-bit activations, beside weights of 8 bits.

Eight bits are enough for convolutions and for what lies between them. They ruin the state of a recurrent layer, the residual
stream, the scores and the normalizations of a Transformer (see `tokens`): there everything between two convolutions is wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import onnx_ir as ir

from edgekit_converters.quantize.node_rules import rule_of
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.quant_plan import Execution, NodePlan
from edgekit_converters.quantize.recurrent import roles_of
from edgekit_converters.rules import CLAMPS, NARROW, PRODUCT, RECURRENT, WIDE

if TYPE_CHECKING:
    from edgekit_converters.hub import Hub
    from edgekit_converters.quantize.scheme import Scheme

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_DENSE = ("MatMul", "Gemm")


def widened(nodes: Iterable[ir.Node], planned: Mapping[str, NodePlan]) -> Iterator[tuple[str, NodePlan]]:
    """Plans of the integer nodes that need 16 bits, those behind them up to the next convolution, and what only leads there."""
    ordered = list(nodes)
    wide = {node for node in ordered if needs_wide(node) or planned[node.name or ""].activations is QuantType.INT16}
    for node in ordered:
        if any(maker in wide for maker in _makers(node)) and _may_follow(node):
            wide.add(node)
    for node in reversed(ordered):
        if _may_lead(node) and any(_passes_on(reader) and reader in wide for reader in _readers(node)):
            wide.add(node)
    for node in ordered:
        plan = planned[node.name or ""]
        if node in wide and node.op_type not in NARROW and plan.execution is Execution.INTEGER:
            yield (
                node.name or "",
                replace(plan, activations=QuantType.INT16, reason="8 bits would ruin it; 16-bit activations"),
            )


def needs_wide(node: ir.Node) -> bool:
    """Whether 8 bits ruin the node's own result."""
    return node.op_type in WIDE or rule_of(node) is PRODUCT


def value_types(hub: Hub, scheme: Scheme) -> dict[str, QuantType]:
    """INT8 or INT16 for every encoded value: what its producer writes; of a value from outside, what all its readers want."""
    types: dict[str, QuantType] = {}
    for node in hub.model.graph:
        plan = scheme.nodes[node.name or ""]
        if plan.execution is Execution.INTEGER:
            types |= dict.fromkeys(scheme.outputs_of(node), plan.activations)
            types |= roles_of(node) if node.op_type in RECURRENT else {}
    for value in _values(hub):
        if value.name and value.name not in types:
            # A reader inside an If's or a Loop's body has no plan: bodies are float.
            plans = (scheme.nodes.get(use.node.name or "") for use in value.uses())
            read = {plan.activations for plan in plans if plan is not None}
            types[value.name] = QuantType.INT16 if read == {QuantType.INT16} else QuantType.INT8
    return types


def wide_values(hub: Hub, scheme: Scheme) -> frozenset[str]:
    """Names of the values that are int16."""
    return frozenset(name for name, found in value_types(hub, scheme).items() if found is QuantType.INT16)


def _values(hub: Hub) -> Iterator[ir.Value]:
    yield from hub.model.graph.inputs
    for node in hub.model.graph:
        yield from node.outputs


def _may_follow(node: ir.Node) -> bool:
    return node.op_type not in _CONVOLUTIONS and node.op_type != "LSTM"


def _may_lead(node: ir.Node) -> bool:
    """A clamp stays with the layer in front, whose output range performs it; rows of a table are what they are."""
    table = node.op_type == "Gather" and node.inputs[0] is not None and node.inputs[0].const_value is not None
    return _may_follow(node) and node.op_type not in CLAMPS and not table


def _passes_on(node: ir.Node) -> bool:
    """Whether what leads to a wide node has to be wide as well: a dense layer reads what it is given."""
    return node.op_type not in _DENSE or needs_wide(node)


def _makers(node: ir.Node) -> Iterator[ir.Node]:
    return (maker for value in node.inputs if value is not None and (maker := value.producer()) is not None)


def _readers(node: ir.Node) -> Iterator[ir.Node]:
    return (use.node for value in node.outputs for use in value.uses())
