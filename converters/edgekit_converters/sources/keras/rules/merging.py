"""Layers that join tensors."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import numpy as np
import onnx_ir as ir

from edgekit_converters.sources.keras.call import LayerCall, Operand, common_layout
from edgekit_converters.sources.keras.masks import either, joined
from edgekit_converters.sources.keras.rules.normalization import unit_length
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value


@reads("Add", masks=joined)
def add(call: LayerCall) -> Value:
    return _joined(call, "Add")


@reads("Subtract", masks=joined)
def subtract(call: LayerCall) -> Value:
    return _joined(call, "Sub")


@reads("Multiply", masks=joined)
def multiply(call: LayerCall) -> Value:
    return _joined(call, "Mul")


@reads("Maximum", masks=joined)
def maximum(call: LayerCall) -> Value:
    return _joined(call, "Max")


@reads("Minimum", masks=joined)
def minimum(call: LayerCall) -> Value:
    return _joined(call, "Min")


@reads("Average", masks=joined)
def average(call: LayerCall) -> Value:
    return call.binary("Mul", _joined(call, "Add", "sum"), 1 / len(call.inputs))


def _joined(call: LayerCall, op_type: str, part: str = "") -> Value:
    """One input after the other; those of lower rank get axes behind the batch, as Keras gives them."""
    if len(call.inputs) != _count(call.arguments):
        raise call.unsupported("joins a tensor and a constant; use keras.ops for that")
    rank = max(value.rank for value in call.inputs)
    values = [call.expanded(value, rank, axis=1) for value in call.inputs]
    return reduce(lambda left, right: call.binary(op_type, left, right, part), values)


def _count(operands: Iterable[Operand]) -> int:
    return sum(_count(item) if isinstance(item, tuple) else 1 for item in operands)


def _concatenated_masks(call: LayerCall) -> tuple[Value | None, ...]:
    """Joined along the steps the masks are joined too; along the features a step counts where it does in any tensor."""
    values = call.inputs
    shown = [value.mask for value in values if value.mask is not None]
    if not shown:
        return ()
    axis = call.settings.integer("axis", -1) % values[0].rank
    if axis == 1 and values[0].rank > 2:
        return (concatenated(call, tuple(_mask_or_all(call, value) for value in values), 1),)
    return (either(call, [_mask_or_all(call, value) for value in values]),)


def _mask_or_all(call: LayerCall, value: Value) -> Value:
    """The tensor's mask; one that shows every step where it has none."""
    if value.mask is not None:
        return value.mask
    last = call.constant(np.array(0, np.int64), "feature")
    feature = call.value(call.node("Gather", value.plain, last, part="feature", axis=value.rank - 1))
    return call.binary("Equal", feature, feature, "all")


@reads("Concatenate", masks=_concatenated_masks)
def concatenate(call: LayerCall) -> Value:
    return concatenated(call, call.inputs, call.settings.integer("axis", -1))


def concatenated(call: LayerCall, values: tuple[Value, ...], axis: int) -> Value:
    if len({value.rank for value in values}) != 1:
        raise ValueError(f"it joins tensors of {[value.rank for value in values]} axes; expected equal numbers")
    layout = common_layout(values)
    variants = [value.variant(layout) for value in values]
    return call.value(call.node("Concat", *variants, axis=layout.index(axis % values[0].rank)), layout)


@reads("Dot")
def dot(call: LayerCall) -> Value:
    """The product over one axis of each, sample by sample; normalized it is the cosine."""
    left, right = call.inputs
    axes = call.settings.integers("axes")
    axes = (axes * 2)[:2]
    places = [axis % value.rank for axis, value in zip(axes, (left, right), strict=True)]
    if call.settings.flag("normalize", False):
        left, right = (unit_length(call, value, [axis]) for value, axis in zip((left, right), places, strict=True))
    if left.rank > 3 or right.rank > 3 or 0 in places:
        raise call.unsupported(f"multiplies tensors of {left.rank} and {right.rank} axes; readable are 2 and 3")
    if left.rank == right.rank == 2:
        return _inner(call, left, right)
    product = call.node("MatMul", _matrix(call, left, places[0], 2), _matrix(call, right, places[1], 1))
    squeezed = [axis for axis, value in ((1, left), (2, right)) if value.rank == 2]
    return call.value(_without(call, product, squeezed))


def _inner(call: LayerCall, left: Value, right: Value) -> Value:
    """(N, 1): the inner product of two vectors a sample."""
    product = call.binary("Mul", left, right, "product")
    axes = call.graph.constant([1], f"{call.name}/axes")
    return call.value(call.node("ReduceSum", product.plain, axes, keepdims=1))


def _matrix(call: LayerCall, value: Value, summed: int, place: int) -> ir.Value:
    """A (N, rows, columns) variant whose axis ``place`` is the one to sum over; a vector gets an axis of size 1."""
    if value.rank == 2:
        axes = call.graph.constant([3 - place], f"{call.name}/axes")
        return call.node("Unsqueeze", value.plain, axes, part="expand")
    other = 3 - summed
    return value.variant((0, other, summed) if place == 2 else (0, summed, other))


def _without(call: LayerCall, value: ir.Value, axes: list[int]) -> ir.Value:
    if not axes:
        return value
    return call.node("Squeeze", value, call.graph.constant(axes, f"{call.name}/axes"), part="squeeze")
