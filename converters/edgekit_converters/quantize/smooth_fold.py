"""Where factors of a product's input may go without a node of their own: into the parameters of what makes the input."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import Editor, attribute, constant, producer, sole_consumer

_BY_HEAD = (0, 2, 1, 3)
_FROM_MIXTURE_TO_VALUE = (("Reshape", 0), ("Transpose", 0), ("MatMul", 1), ("Transpose", 0), ("Reshape", 0))
"""Nodes of attention from its result back to the value that is mixed, and the input on the way."""


def fold_factors(source: ir.Value, factors: NDArray[np.float32], edit: Editor) -> bool:
    """Multiply the channels of ``source`` where it is made; False when there is no way. Nothing but the products may read it."""
    made = producer(source, "LayerNormalization")
    if made is not None:
        return _into_normalization(made, factors, edit)
    return _into_value(source, factors, edit)


def _into_normalization(node: ir.Node, factors: NDArray[np.float32], edit: Editor) -> bool:
    arrays = [constant(value) for value in node.inputs[1:]]
    last = len(node.outputs[0].shape or ()) - 1
    if attribute(node, "axis", -1) not in (-1, last) or any(array is None for array in arrays):
        return False
    for index, array in enumerate(arrays, start=1):
        assert array is not None
        node.replace_input_with(index, edit.constant(array * factors, f"{node.name}_smooth"))
    return True


def _into_value(source: ir.Value, factors: NDArray[np.float32], edit: Editor) -> bool:
    """Attention mixes tokens channel by channel: scaling the value's weights and bias scales the mixture."""
    value = _mixed_value(source, len(factors))
    if value is None:
        return False
    addition = producer(value, "Add")
    product = producer(value if addition is None else addition.inputs[0], "MatMul")
    places = [(product, 1)] if addition is None else [(product, 1), (addition, 1)]
    arrays = [(node, index, constant(node.inputs[index])) for node, index in places if node is not None]
    if len(arrays) < len(places) or any(array is None or array.shape[-1:] != factors.shape for *_, array in arrays):
        return False
    if product is None or sole_consumer(product.outputs[0]) is None:
        return False
    for node, index, array in arrays:
        assert array is not None
        node.replace_input_with(index, edit.constant(array * factors, f"{node.name}_smooth"))
    return True


def _mixed_value(source: ir.Value, width: int) -> ir.Value | None:
    """(batch, tokens, width), split into heads, mixed, and joined again in ``source``."""
    value: ir.Value | None = source
    heads: list[tuple[object, ...]] = []
    for op, index in _FROM_MIXTURE_TO_VALUE:
        node = producer(value, op)
        if node is None or value is None or (value is not source and sole_consumer(value) is None):
            return None
        if op == "Transpose" and attribute(node, "perm") != _BY_HEAD:
            return None
        if op == "MatMul":
            heads.append(tuple(node.outputs[0].shape or ())[1::2])
        if op == "Reshape" and value is not source:
            heads.append(tuple(value.shape or ())[2:])
        value = node.inputs[index]
    if (
        value is None
        or sole_consumer(value) is None
        or len(set(heads)) != 1
        or tuple(value.shape or ())[2:] != (width,)
    ):
        return None
    return value
