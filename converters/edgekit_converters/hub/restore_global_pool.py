"""Write a mean over all spatial axes as the global pool that it is."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, dims, nodes_of
from edgekit_converters.hub.expressions import reduced_axes


def restore_global_pool(model: ir.Model) -> int:
    """ReduceMean over exactly the axes behind the channels of a picture or volume becomes GlobalAveragePool, which runtimes
    have an integer kernel for; without keepdims a Flatten follows. A mean over the last axis of rank 3 stays: that is as often a
    step of a normalization.

    Requires: inferred shapes. Returns the changes.
    """
    edit = Editor(model)
    changes = 0
    for node in nodes_of(model, "ReduceMean"):
        shape = dims(node.inputs[0])
        if shape is None or len(shape) not in (4, 5) or reduced_axes(node, len(shape)) != tuple(range(2, len(shape))):
            continue
        keeps = attribute(node, "keepdims", 1) == 1
        pooled = edit.node("GlobalAveragePool", [node.inputs[0]], node, node.outputs[0] if keeps else None)
        if not keeps:
            pooled.type, pooled.shape = node.outputs[0].type, ir.Shape([*shape[:2], *[1] * (len(shape) - 2)])
            pooled = edit.node("Flatten", [pooled], node, node.outputs[0])
        edit.replace_node(node, pooled)
        changes += 1
    return changes
