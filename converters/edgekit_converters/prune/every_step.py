"""Recurrent layers whose last state alone is read: refitting wants to see all of their states."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import dims, static_shape
from edgekit_converters.quantize.scheme import name_of
from edgekit_converters.rules import RECURRENT


def with_every_step(hub: Hub) -> Hub:
    """A hub whose recurrent layers all give their states of every step, read or not."""
    result = hub.clone()
    for node in result.model.graph:
        output = node.outputs[0] if node.op_type in RECURRENT else None
        weights, shape = (static_shape(node.inputs[2]), dims(node.inputs[0])) if output is not None else (None, None)
        if output is None or output.name or weights is None or shape is None:
            continue
        output.name = f"{name_of(node)}{_EVERY_STEP}"
        output.type = ir.TensorType(ir.DataType.FLOAT)
        output.shape = ir.Shape([shape[0], weights[0], shape[1], weights[2]])
    return result


def without_unread_steps(hub: Hub) -> Hub:
    """The hub without the outputs that `with_every_step` has named."""
    result = hub.clone()
    for node in result.model.graph:
        output = node.outputs[0]
        if node.op_type in RECURRENT and output.name == f"{name_of(node)}{_EVERY_STEP}" and not output.uses():
            output.name = ""
    return result


_EVERY_STEP = ":every step"
