"""Node and weight names that say where in the user's module they are. Runs in a child process."""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_ir as ir

_SCOPES = "pkg.torch.onnx.name_scopes"
"""Metadata entry of PyTorch's exporter: a list of module paths, the outermost first, the operator last."""

_WRAPPER = "module"
"""Where `exporters.flattened` keeps the user's module."""


def name_nodes(model: ir.Model) -> None:
    """Name every node "path.of.module/OpType", uniquely, in place; weights lose the wrapper's prefix."""
    taken: set[str] = set()
    for node in model.graph:
        scope = _scope(node)
        base = f"{scope}/{node.op_type}" if scope is not None else (node.name or node.op_type).removeprefix("node_")
        node.name = _unique(base.lstrip("/"), taken)
        node.metadata_props.clear()
    for name in list(model.graph.initializers):
        short = name.removeprefix(f"{_WRAPPER}.")
        if short != name and short not in model.graph.initializers:
            model.graph.initializers[name].name = short


def _scope(node: ir.Node) -> str | None:
    try:
        scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, ""))
    except (SyntaxError, ValueError):
        return None
    if not isinstance(scopes, list) or len(scopes) < 2:
        return None
    path = str(scopes[-2]).removeprefix(_WRAPPER).removeprefix(".")
    return path or None


def _unique(base: str, taken: set[str]) -> str:
    candidates = itertools.chain((base,), (f"{base}_{count}" for count in itertools.count(1)))
    name = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(name)
    return name
