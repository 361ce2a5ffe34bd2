"""Read arithmetic the way a person does: ``x * 0.5 * (1 + y)`` is one product, however it was written down.

Exporters spell one formula in many ways: the factor first or last, a division instead of a product, a Neg, a Pow. The
passes that look for a formula ask here for its normal form.
"""

from __future__ import annotations

from typing import NamedTuple

import onnx_ir as ir

from edgekit_converters.hub.edit import attribute, integers, producer, scalar


class Product(NamedTuple):
    """``coefficient`` times all ``factors``; a factor that is squared stands there twice."""

    coefficient: float
    factors: tuple[ir.Value, ...]


class Affine(NamedTuple):
    """``scale * source + offset`` with plain numbers."""

    source: ir.Value
    scale: float
    offset: float


def product_of(value: ir.Value, depth: int = 6) -> Product:
    """``value`` as a product, its Mul, Div, Neg and Pow taken apart as far as ``depth`` levels."""
    number = scalar(value)
    if number is not None:
        return Product(number, ())
    node = producer(value, "Mul", "Div", "Neg", "Pow") if depth else None
    source = None if node is None else node.inputs[0]
    if node is None or source is None:
        return Product(1.0, (value,))
    if node.op_type == "Neg":
        inner = product_of(source, depth - 1)
        return Product(-inner.coefficient, inner.factors)
    other = node.inputs[1]
    assert other is not None
    if node.op_type == "Mul":
        one, two = product_of(source, depth - 1), product_of(other, depth - 1)
        return Product(one.coefficient * two.coefficient, one.factors + two.factors)
    number = scalar(other)
    if node.op_type == "Div" and number:
        inner = product_of(source, depth - 1)
        return Product(inner.coefficient / number, inner.factors)
    if node.op_type == "Pow" and number in (2.0, 3.0):
        inner = product_of(source, depth - 1)
        return Product(inner.coefficient ** int(number), inner.factors * int(number))
    return Product(1.0, (value,))


def affine(value: ir.Value) -> Affine:
    """``value`` with the plain numbers that are added to it and multiplied with it peeled off."""
    scale, offset = 1.0, 0.0
    for _ in range(_DEEPEST):
        step = _peel(value)
        if step is None:
            break
        value, inner_scale, inner_offset = step
        scale, offset = scale * inner_scale, scale * inner_offset + offset
    return Affine(value, scale, offset)


def _peel(value: ir.Value) -> Affine | None:
    node = producer(value, "Add", "Sub", "Mul", "Div", "Neg")
    first = None if node is None else node.inputs[0]
    if node is None or first is None:
        return None
    if node.op_type == "Neg":
        return Affine(first, -1.0, 0.0)
    second = node.inputs[1]
    assert second is not None
    left, right = scalar(first), scalar(second)
    if right is not None:
        return {
            "Add": Affine(first, 1.0, right),
            "Sub": Affine(first, 1.0, -right),
            "Mul": Affine(first, right, 0.0),
            "Div": Affine(first, 1.0 / right, 0.0) if right else None,
        }[node.op_type]
    if left is not None:
        return {
            "Add": Affine(second, 1.0, left),
            "Sub": Affine(second, -1.0, left),
            "Mul": Affine(second, left, 0.0),
            "Div": None,
        }[node.op_type]
    return None


def clamp_of(value: ir.Value | None) -> tuple[ir.Value, float, float] | None:
    """``(source, low, high)`` when ``value`` is a Relu or a Clip with constant ends; an open end is infinite."""
    node = producer(value, "Relu", "Clip")
    source = None if node is None else node.inputs[0]
    if node is None or source is None:
        return None
    if node.op_type == "Relu":
        return source, 0.0, float("inf")
    ends = [float("-inf"), float("inf")]
    for index, end in enumerate(node.inputs[1:3]):
        if end is not None:
            number = scalar(end)
            if number is None:
                return None
            ends[index] = number
    return source, ends[0], ends[1]


def close(number: float, wanted: float) -> bool:
    """Equal up to what a float32 constant or an exporter's rounding of it loses."""
    return abs(number - wanted) <= 2e-4 * abs(wanted)


def reduced_axes(node: ir.Node, rank: int) -> tuple[int, ...] | None:
    """Axes of a reduction, from 0 up; None when they are not constant."""

    if len(node.inputs) < 2 or node.inputs[1] is None:
        return None if attribute(node, "noop_with_empty_axes", 0) else tuple(range(rank))
    found = integers(node.inputs[1])
    return None if found is None else tuple(sorted(axis % rank for axis in found))


_DEEPEST = 8
