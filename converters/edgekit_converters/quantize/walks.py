"""Walks over the graph: all nodes that lie behind one, or lead to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx_ir as ir


def reached(start: ir.Node, step: Callable[[ir.Node], Iterator[ir.Node]]) -> set[ir.Node]:
    """All nodes that repeated steps from ``start`` lead to, without ``start``."""
    found: set[ir.Node] = set()
    pending = [start]
    while pending:
        for node in step(pending.pop()):
            if node not in found:
                found.add(node)
                pending.append(node)
    return found


def readers(node: ir.Node) -> Iterator[ir.Node]:
    """The nodes that read an output of ``node``."""
    return (use.node for value in node.outputs for use in value.uses())


def makers(node: ir.Node) -> Iterator[ir.Node]:
    """The nodes whose outputs ``node`` reads."""
    return (maker for value in node.inputs if value is not None and (maker := value.producer()) is not None)
