"""Take one step or channel out of values before they are joined and moved, so that the rest need not be computed."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, dims, nodes_of, producer, scalar, sole_consumer

MOVES = ("Transpose", "Reshape", "Concat")


def gather_early(model: ir.Model) -> int:
    """Put a Gather of one constant index in front of the Transpose, Reshape or Concat that it reads. Returns the changes.

    Exporters write the last step of a bidirectional layer as a Gather behind the joined outputs of both directions. Where others
    read what was moved, nothing changes. Requires: inferred shapes.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "Gather"):
        index, before = node.inputs[1], producer(node.inputs[0], *MOVES)
        if before is None or index is None or dims(index) != () or scalar(index) is None:
            continue
        if sole_consumer(before.outputs[0]) is not node:
            continue
        moved = _BEFORE[before.op_type](before, node, edit)
        if moved is not None:
            edit.replace_node(node, moved)
            changes += 1
    return changes


def _axis(gather: ir.Node, rank: int) -> int:
    return int(attribute(gather, "axis", 0)) % rank


def _gathered(value: ir.Value | None, gather: ir.Node, axis: int, edit: Editor) -> ir.Value:
    made = edit.node("Gather", [value, gather.inputs[1]], before=gather, axis=axis)
    sizes = dims(value)
    assert value is not None
    made.type = value.type
    if sizes is not None:
        made.shape = ir.Shape([size for place, size in enumerate(sizes) if place != axis])
    return made


def _before_transpose(move: ir.Node, gather: ir.Node, edit: Editor) -> ir.Value | None:
    order = attribute(move, "perm")
    if order is None:
        return None
    axis = order[_axis(gather, len(order))]
    taken = _gathered(move.inputs[0], gather, axis, edit)
    left = [place - (place > axis) for place in order if place != axis]
    return edit.node("Transpose", [taken], before=gather, like=gather.outputs[0], perm=tuple(left))


def _before_reshape(move: ir.Node, gather: ir.Node, edit: Editor) -> ir.Value | None:
    """Where the axes up to the gathered one are the same before and after."""
    source, result = dims(move.inputs[0]), dims(move.outputs[0])
    if source is None or result is None:
        return None
    axis = _axis(gather, len(result))
    kept = source[: axis + 1]
    if kept != result[: axis + 1] or None in kept or 0 in (*source, *result):
        return None
    sizes = [_size(size, place < axis) for place, size in enumerate(result) if place != axis]
    if sizes.count(-1) > 1:
        return None
    taken = _gathered(move.inputs[0], gather, axis, edit)
    return edit.node("Reshape", [taken, edit.index(sizes, "shape")], before=gather, like=gather.outputs[0])


def _size(size: int | str | None, stays: bool) -> int:
    """What a Reshape is told: 0 copies the size of the same place."""
    return size if isinstance(size, int) else 0 if stays else -1


def _before_concat(move: ir.Node, gather: ir.Node, edit: Editor) -> ir.Value | None:
    rank = len(dims(move.outputs[0]) or ())
    if rank == 0:
        return None
    axis, joined = _axis(gather, rank), int(attribute(move, "axis", 0)) % rank
    if axis == joined:
        return None
    taken = [_gathered(value, gather, axis, edit) for value in move.inputs]
    return edit.node("Concat", taken, before=gather, like=gather.outputs[0], axis=joined - (joined > axis))


_BEFORE: dict[str, Callable[[ir.Node, ir.Node, Editor], ir.Value | None]] = {
    "Transpose": _before_transpose,
    "Reshape": _before_reshape,
    "Concat": _before_concat,
}
