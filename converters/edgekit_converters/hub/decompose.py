"""Write operators that few runtimes know, or know in integers, with common ones."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, nodes_of, static_shape


def decompose(model: ir.Model) -> int:
    """Write a Sum of several values as Adds, and CastLike as Cast; give Range the scalars that it wants, where a file has
    tensors of one element. Returns the nodes replaced or mended."""
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "Sum"):
        changes += _split_sum(node, edit)
    for node in nodes_of(model, "CastLike"):
        wanted = node.inputs[1].dtype if node.inputs[1] is not None else None
        if wanted is not None:
            cast = edit.node("Cast", [node.inputs[0]], before=node, like=node.outputs[0], to=wanted.value)
            edit.replace_node(node, cast)
            changes += 1
    for node in nodes_of(model, "Range"):
        changes += _read_scalars(node, edit)
    return changes


def _split_sum(node: ir.Node, edit: Editor) -> int:
    values = list(node.inputs)
    if len(values) < 2:
        return 0
    total = values[0]
    for value in values[1:]:
        total = edit.node("Add", [total, value], before=node, like=node.outputs[0])
        if value is not values[-1]:
            total.shape = None  # it may be smaller than the whole sum; inference finds it
    assert total is not None
    edit.replace_node(node, total)
    return 1


def _read_scalars(node: ir.Node, edit: Editor) -> int:
    """ONNX Runtime takes tensors of one element for scalars only as long as it does not know their shape."""
    mended = 0
    for index, value in enumerate(node.inputs):
        if value is not None and static_shape(value) == (1,):
            node.replace_input_with(index, edit.node("Squeeze", [value], before=node))
            mended += 1
    return mended
