"""Names and small constants: names that are unique, small equal constants stored once."""

from __future__ import annotations

import re

import onnx_ir as ir

from edgekit_converters.hub.edit import Editor


def give_names(model: ir.Model) -> int:
    """Give every node and value a unique, non-empty name; names of inputs and outputs stay. Returns the names given.

    Value names are unique by ONNX's own rules (within nested graphs, too); those of nodes often are not.
    """
    seen: set[str] = set()
    given = 0
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        hint = name = node.name or node.op_type
        count = 1
        while name in seen:
            count += 1
            name = f"{hint}_{count}"
        seen.add(name)
        if name != node.name:
            node.name = name
            given += 1
    return given + _name_values(model)


def _name_values(model: ir.Model) -> int:
    edit: Editor | None = None
    given = 0
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        for value in node.outputs:
            if not value.name and (value.uses() or value.is_graph_output()):
                edit = edit or Editor(model)
                value.name = edit.unique(f"{node.name}_out")
                given += 1
    return given


def name_dimensions(model: ir.Model) -> int:
    """Name the unnamed dimensions of inputs, and rename those that are no expression ("batch size" becomes batch_size).

    With names, shapes that depend on them can be compared and computed. Returns the number of dimensions named.
    """
    named = 0
    for value in dict.fromkeys((*model.graph.inputs, *model.graph.outputs)):
        if value.shape is None:
            continue
        old = list(value.shape)
        new = [_named(dim, f"{value.name}_dim_{axis}") for axis, dim in enumerate(old)]
        changed = sum(one is not other for one, other in zip(old, new, strict=True))
        if changed:
            value.shape = ir.Shape(new)
            named += changed
    return named


def _named(dim: int | ir.SymbolicDim, name: str) -> int | ir.SymbolicDim:
    if isinstance(dim, int):
        return dim
    if dim.value is None:
        return ir.SymbolicDim(re.sub(r"\W", "_", name))
    try:
        dim.free_symbols()
    except ValueError:
        return ir.SymbolicDim(re.sub(r"\W|^(?=\d)", "_", str(dim.value)))
    return dim


def merge_small_constants(model: ir.Model) -> int:
    """Store equal constants of at most 64 elements once. Returns the number of constants dropped."""
    kept: dict[tuple[str, tuple[object, ...], bytes], ir.Value] = {}
    dropped = 0
    for value in list(model.graph.initializers.values()):
        tensor = value.const_value
        if tensor is None or tensor.size > _LARGEST_SHARED or value.is_graph_output() or value.is_graph_input():
            continue
        if tensor.dtype is ir.DataType.STRING:
            continue
        first = kept.setdefault((str(tensor.dtype), tuple(tensor.shape), tensor.tobytes()), value)
        if first is not value:
            value.replace_all_uses_with(first)
            model.graph.initializers.pop(value.name or "")
            dropped += 1
    return dropped


_LARGEST_SHARED = 64
