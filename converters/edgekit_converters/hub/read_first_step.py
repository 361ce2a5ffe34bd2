"""Who reads of a recurrent layer only the step that it takes first gets a layer of one step."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, consumers, dims, nodes_of, scalar


def read_first_step(model: ir.Model) -> int:
    """Cut the other steps off the input of such a layer. Returns the number of layers changed.

    The last step of a bidirectional layer is the last state of one direction and the first of the other. Requires: layers of
    one direction, time-first.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "RNN", "LSTM", "GRU"):
        shape = dims(node.inputs[0])
        if (
            shape is None
            or shape[0] == 1
            or attribute(node, "layout", 0) != 0
            or not _is_read_at_first_only(node, shape[0])
        ):
            continue
        reverse = attribute(node, "direction", "forward") == "reverse"
        start, stop = (-1, np.iinfo(np.int64).max) if reverse else (0, 1)
        bounds = [edit.index([number], "bound") for number in (start, stop, 0)]
        step = edit.node("Slice", [node.inputs[0], *bounds], before=node, like=node.inputs[0])
        step.shape = ir.Shape([1, *shape[1:]])
        node.replace_input_with(0, step)
        for gather in consumers(node.outputs[0]):
            gather.replace_input_with(1, edit.index(0, "step"))
        changes += 1
    return changes


def _is_read_at_first_only(node: ir.Node, steps: int | str | None) -> bool:
    lengths = node.inputs[4] if len(node.inputs) > 4 else None
    direction = attribute(node, "direction", "forward")
    used = [bool(value.uses()) or value.is_graph_output() for value in node.outputs]
    if used != [True, *(len(used) - 1) * [False]] or node.outputs[0].is_graph_output() or lengths is not None:
        return False
    first = {"forward": (0,), "reverse": (-1, steps - 1) if isinstance(steps, int) else (-1,)}.get(direction, ())
    return all(_takes(gather, node.outputs[0], first) for gather in consumers(node.outputs[0]))


def _takes(gather: ir.Node, outputs: ir.Value, steps: tuple[int, ...]) -> bool:
    return (
        gather.op_type == "Gather"
        and gather.inputs[0] is outputs
        and attribute(gather, "axis", 0) % 4 == 0
        and dims(gather.inputs[1]) == ()
        and scalar(gather.inputs[1]) in steps
    )
