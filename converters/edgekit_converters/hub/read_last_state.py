"""Who reads only the last step of a recurrent layer reads its last state."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, dims, integers, nodes_of, scalar

Axes = tuple[str, ...]

_OUTPUT_AXES: Axes = ("step", "direction", "batch", "unit")


def read_last_state(model: ir.Model) -> int:
    """Put the layer's last state in the place of a Gather of the last step, behind any Squeeze and Transpose.

    Exporters write ``outputs[:, -1]`` so; without it the outputs of all steps need not be kept. Requires: layers of one
    direction, time-first. Returns the number of Gathers replaced.
    """
    edit = Editor(model)
    replaced = 0
    for node in nodes_of(model, "RNN", "LSTM", "GRU"):
        for gather, axes in list(_gathers(node)):
            replaced += _replace(node, gather, axes, edit)
    return replaced


def _gathers(node: ir.Node) -> Iterator[tuple[ir.Node, Axes]]:
    """Gathers of the last step, and the axes that their results have."""
    direction, shape = attribute(node, "direction", "forward"), dims(node.inputs[0])
    if direction == "bidirectional" or shape is None or attribute(node, "layout", 0) != 0:
        return
    last = (0,) if direction == "reverse" else (-1, shape[0] - 1) if isinstance(shape[0], int) else (-1,)
    found = [(node.outputs[0], _OUTPUT_AXES)]
    while found:
        value, axes = found.pop()
        for use in value.uses():
            if use.idx == 0 and use.node.op_type == "Gather" and _takes(use.node, axes, last):
                yield use.node, tuple(axis for axis in axes if axis != "step")
            elif use.idx == 0 and (moved := _moved(use.node, axes)) is not None:
                found.append((use.node.outputs[0], moved))


def _takes(gather: ir.Node, axes: Axes, steps: tuple[int, ...]) -> bool:
    index = gather.inputs[1]
    return (
        axes[attribute(gather, "axis", 0)] == "step"
        and index is not None
        and dims(index) == ()
        and scalar(index) in steps
    )


def _moved(node: ir.Node, axes: Axes) -> Axes | None:
    """The axes behind a Transpose, or a Squeeze of the direction; None behind anything else."""
    if node.op_type == "Transpose":
        order = attribute(node, "perm", tuple(reversed(range(len(axes)))))
        return tuple(axes[axis] for axis in order)
    if node.op_type == "Squeeze" and len(node.inputs) > 1:
        dropped = integers(node.inputs[1])
        if dropped is not None and [axes[axis] for axis in dropped] == ["direction"]:
            return tuple(axis for axis in axes if axis != "direction")
    return None


def _replace(node: ir.Node, gather: ir.Node, axes: Axes, edit: Editor) -> int:
    if axes not in (("batch", "unit"), ("direction", "batch", "unit")):
        return 0
    if len(node.outputs) < 2:
        node.resize_outputs(2)
    state = node.outputs[1]
    if not state.name:
        state.name = edit.unique(f"{node.name}/last_state")
    state.type = node.outputs[0].type
    if axes[0] == "direction":
        result = edit.node("Identity", [state], before=gather, like=gather.outputs[0])
    else:
        result = edit.node("Squeeze", [state, edit.index([0], "axes")], before=gather, like=gather.outputs[0])
    edit.replace_node(gather, result)
    return 1
