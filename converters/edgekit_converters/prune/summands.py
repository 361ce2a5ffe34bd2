"""`without_summands`: constants that took the place of blocks go into the bias of the layer before, if nothing else reads that.

Nothing of a block is left then, not even an addition.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import Editor, constant, dims, nodes_of, sole_consumer
from edgekit_converters.prune.dependencies import Array
from edgekit_converters.quantize.scheme import is_constant, name_of


def without_summands(hub: Hub, additions: Collection[str]) -> Hub:
    """The hub without those additions of a constant that a bias can take in, by node name."""
    if not additions:
        return hub
    result = hub.clone()
    editor = Editor(result.model)
    for node in nodes_of(result.model, "Add"):
        operand = next((index for index, value in enumerate(node.inputs) if is_constant(value)), None)
        if name_of(node) not in additions or operand is None:
            continue
        summand, value = constant(node.inputs[operand]), node.inputs[1 - operand]
        place = None if summand is None or value is None else _bias(value, summand)
        if place is not None and summand is not None and value is not None:
            _take_in(editor, *place, summand)
            _bypass(editor, node, value)
    return result


def _bias(value: ir.Value, summand: Array) -> tuple[ir.Node, int] | None:
    """The node, and which of its operands, that adds a constant of that kind to the value, which nothing else reads."""
    node = value.producer()
    if node is None or node.domain != "" or sole_consumer(value) is None:
        return None
    if node.op_type in _BIASED:
        shape = (summand.size, *[1] * (len(dims(value) or ()) - 2)) if node.op_type in _PICTURES else (summand.size,)
        known = constant(node.inputs[2]) if len(node.inputs) > 2 else None
        return (node, 2) if known is not None and known.size == summand.size and shape == summand.shape else None
    if node.op_type != "Add":
        return None
    for index, operand in enumerate(node.inputs):
        array = constant(operand)
        if array is not None:
            return (node, index) if array.size == summand.size and _trimmed(array) == _trimmed(summand) else None
    places = (_bias(operand, summand) for operand in node.inputs if operand is not None and _alike(operand, value))
    return next((place for place in places if place is not None), None)


_PICTURES = ("Conv", "ConvTranspose")
_BIASED = (*_PICTURES, "Gemm", "LayerNormalization")


def _alike(operand: ir.Value, total: ir.Value) -> bool:
    """Not repeated along the axes of known size."""
    return [d for d in dims(operand) or () if isinstance(d, int)] == [
        d for d in dims(total) or () if isinstance(d, int)
    ]


def _trimmed(array: Array) -> tuple[int, ...]:
    """The shape without ones in front, which mean nothing in a sum."""
    shape = list(array.shape)
    while shape and shape[0] == 1:
        shape.pop(0)
    return tuple(shape)


def _take_in(editor: Editor, node: ir.Node, index: int, summand: Array) -> None:
    old = node.inputs[index]
    array = constant(old)
    assert old is not None
    assert array is not None
    node.replace_input_with(
        index, editor.constant(np.asarray(array + summand.reshape(array.shape), np.float32), old.name or "")
    )


def _bypass(editor: Editor, node: ir.Node, value: ir.Value) -> None:
    """Let all read the value; the layer that makes it keeps its name."""
    maker = value.producer()
    assert maker is not None
    name = maker.name
    editor.replace_node(node, value)
    maker.name = name
