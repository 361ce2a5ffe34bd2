"""Write a pixel shuffle that was spelled as reshapes and a transposition as the DepthToSpace that it is."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, dims, nodes_of, sole_consumer

_PLACES = {"CRD": ((0, 1, 4, 2, 5, 3), (2, 3)), "DCR": ((0, 3, 4, 1, 5, 2), (1, 2))}
"""By order of the channels: the permutation of (N, C, b, b, H, W) or (N, b, b, C, H, W), and where the block's sides lie."""


def restore_depth_to_space(model: ir.Model) -> int:
    """Reshape to six axes, Transpose and Reshape back become DepthToSpace, which runtimes have a kernel for.

    Requires: inferred shapes. Returns the changes.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "Transpose"):
        order, last = _order(node), sole_consumer(node.outputs[0])
        first = node.inputs[0].producer() if node.inputs[0] is not None else None
        if order is None or last is None or first is None or {first.op_type, last.op_type} != {"Reshape"}:
            continue
        mode, block = order
        if not _is_shuffle(first, last, block) or last.inputs[0] is not node.outputs[0]:
            continue
        made = edit.node("DepthToSpace", [first.inputs[0]], last, last.outputs[0], blocksize=block, mode=mode)
        edit.replace_node(last, made)
        changes += 1
    return changes


def _order(node: ir.Node) -> tuple[str, int] | None:
    """Mode and block size of a transposition that could be a shuffle's."""
    shape = dims(node.inputs[0])
    for mode, (permutation, (rows, columns)) in _PLACES.items():
        if shape is not None and attribute(node, "perm") == permutation and shape[rows] == shape[columns]:
            block = shape[rows]
            return (mode, block) if isinstance(block, int) else None
    return None


def _is_shuffle(first: ir.Node, last: ir.Node, block: int) -> bool:
    """Whether the picture is ``block`` times as high and wide behind the reshapes as before, with the same batch."""
    given, made = dims(first.inputs[0]), dims(last.outputs[0])
    if given is None or made is None or len(given) != 4 or len(made) != 4 or given[0] != made[0]:
        return False
    numbers = [size for size in (*given[1:], *made[1:]) if isinstance(size, int)]
    if len(numbers) != 6:
        return False
    channels, height, width, *rest = numbers
    return rest == [channels // block**2, height * block, width * block] and _keeps_sides(first, height, width)


def _keeps_sides(first: ir.Node, height: int, width: int) -> bool:
    split = dims(first.outputs[0])
    return split is not None and split[4:] == (height, width)
