"""`Group`: what the sequential pass runs as one step, a node and the activation fused into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.quantize.quant_plan import Execution, Fusion, QuantPlan
from edgekit_converters.quantize.scheme import is_constant, name_of


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """``inputs``: computed values that the node (or a subgraph of it) reads, each once; ``outputs``: those that are read."""

    node: ir.Node
    activation: ir.Node | None
    fusion: Fusion | None
    inputs: tuple[ir.Value, ...]
    outputs: tuple[ir.Value, ...]

    @property
    def name(self) -> str:
        return name_of(self.node)


def groups_of(hub: Hub, plan: QuantPlan) -> list[Group]:
    """The hub's nodes in topological order, each with its fused activation; without those that nothing reads."""
    by_name = {name_of(node): node for node in hub.model.graph}
    groups = (
        _group(node, by_name, plan.fusions.get(name_of(node)))
        for node in hub.model.graph
        if plan.execution(name_of(node)) is not Execution.FUSED
    )
    return [group for group in groups if group.outputs]


def captured(node: ir.Node) -> Iterator[ir.Value]:
    """Values of the node's own graph that its subgraphs (If, Loop, Scan) read."""
    for attribute in node.attributes.values():
        if attribute.type is not ir.AttributeType.GRAPH:
            continue
        graph = attribute.as_graph()
        inner = [value for each in ir.traversal.RecursiveGraphIterator(graph) for value in each.inputs]
        yield from (value for value in (*inner, *graph.outputs) if value is not None and value.graph is node.graph)


def _group(node: ir.Node, by_name: dict[str, ir.Node], fusion: Fusion | None) -> Group:
    activation = by_name[fusion.activation] if fusion else None
    read = [value for value in (*node.inputs, *captured(node)) if value is not None and not is_constant(value)]
    outputs = tuple(value for value in (activation or node).outputs if value.is_graph_output() or value.uses())
    return Group(node, activation, fusion, tuple(dict.fromkeys(read)), outputs)
