"""Operators on quantized tensors, as sums, products and roundings of float32 that hold every integer exactly."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.writers.tflite.axes import normalized
from edgekit_converters.writers.tflite.spelling import Spelling, spells

_EXACT = 2**24
"""float32 holds every integer up to here."""
_MOST = 255 * 255
_HALF_BYTE = 16


@spells("DequantizeLinear")
def dequantize(spelling: Spelling) -> ir.Value:
    """(x - zero point) scale, per tensor or along an axis."""
    node = spelling.node
    axis = _axis_of_scales(spelling)
    centred = _centred(spelling, node.value(0), _input(spelling, 2), axis)
    return spelling.op("Mul", centred, _along(spelling, node.value(1), node.rank(), axis))


@spells("QuantizeLinear")
def quantize(spelling: Spelling) -> ir.Value:
    """x / scale, rounded half to even, plus zero point, cut off at the ends of the type."""
    node = spelling.node
    axis = _axis_of_scales(spelling)
    scaled = spelling.op("Div", node.value(0), _along(spelling, node.value(1), node.rank(), axis))
    return _as_integers(spelling, scaled, _input(spelling, 2), axis)


@spells("QLinearMatMul")
def quantized_product(spelling: Spelling) -> ir.Value:
    """MatMul of the centred integers, then the product of the scales, rounded."""
    node = spelling.node
    left = _centred(spelling, node.value(0), node.value(2), node.rank(0) - 2)
    right = _centred(spelling, node.value(3), node.value(5), node.rank(3) - 1)
    total = spelling.op("MatMul", left, right)
    factor = _ratio(spelling, node.value(1), node.value(4), node.value(6))
    return _as_integers(spelling, spelling.op("Mul", total, factor), node.value(7), 0)


@spells("QLinearConv")
def quantized_convolution(spelling: Spelling) -> ir.Value:
    """Conv of the centred integers and the bias, then the product of the scales, rounded."""
    node = spelling.node
    data = _centred(spelling, node.value(0), node.value(2), 1)
    weights = _centred(spelling, node.value(3), node.value(5), 0)
    bias = [spelling.cast(node.value(8), np.float32)] if node.has(8) else []
    attributes = {name: entry.value for name, entry in node.node.attributes.items()}
    total = spelling.op("Conv", data, weights, *bias, **attributes)
    factor = _ratio(spelling, node.value(1), node.value(4), node.value(6))
    column = _along(spelling, factor, len(spelling.shape(total)), 1)
    return _as_integers(spelling, spelling.op("Mul", total, column), node.value(7), 0)


@spells("MatMulInteger", "ConvInteger")
def integer_product(spelling: Spelling) -> ir.Value:
    """The product in float32; where its sums may pass 2^24, one by the upper and one by the lower half of each weight."""
    node = spelling.node
    is_conv = node.op == "ConvInteger"
    left = _centred(spelling, node.value(0), _input(spelling, 2), 1 if is_conv else node.rank(0) - 2)
    right = _centred(spelling, node.value(1), _input(spelling, 3), 0 if is_conv else node.rank(1) - 1)
    count = int(np.prod(node.shape(1)[1:])) if is_conv else node.shape(0)[-1]
    if count * _MOST <= _EXACT:
        return spelling.cast(_product(spelling, left, right), np.int32)
    if count * 255 * _HALF_BYTE > _EXACT:
        raise node.unsupported(f"its sums over {count} products do not fit float32; expected at most 4096")
    upper = spelling.op("Floor", spelling.op("Mul", right, spelling.constant(1 / _HALF_BYTE)))
    lower = spelling.op("Sub", right, spelling.op("Mul", upper, spelling.constant(float(_HALF_BYTE))))
    sums = [spelling.cast(_product(spelling, left, part), np.int32) for part in (upper, lower)]
    scaled = spelling.op("Mul", sums[0], spelling.constant(np.int32(_HALF_BYTE)))
    return spelling.op("Add", scaled, sums[1])


def _product(spelling: Spelling, left: ir.Value, right: ir.Value) -> ir.Value:
    if spelling.node.op == "MatMulInteger":
        return spelling.op("MatMul", left, right)
    attributes = {name: entry.value for name, entry in spelling.node.node.attributes.items()}
    return spelling.op("Conv", left, right, **attributes)


def _input(spelling: Spelling, index: int) -> ir.Value | None:
    return spelling.node.value(index) if spelling.node.has(index) else None


def _axis_of_scales(spelling: Spelling) -> int:
    node = spelling.node
    if node.integer("block_size", 0):
        raise node.unsupported("its scales are given by block")
    for value in (node.value(0), node.output()):
        if value.dtype not in _TYPES:
            raise node.unsupported(f"TFLite has no arithmetic on {value.dtype}")
    return normalized(node.integer("axis", 1), node.rank()) if node.rank() else 0


def _along(spelling: Spelling, value: ir.Value, rank: int, axis: int) -> ir.Value:
    """One number an index of ``axis``, broadcast over the other axes; a single number as it is."""
    shape = spelling.shape(value)
    if int(np.prod(shape)) == 1:
        return spelling.reshape(value, ())
    if len(shape) > 1:
        return value
    return spelling.reshape(value, [shape[0] if place == axis else 1 for place in range(rank)])


def _centred(spelling: Spelling, value: ir.Value, zero: ir.Value | None, axis: int) -> ir.Value:
    """value - zero point in float32."""
    number = spelling.cast(value, np.float32)
    if zero is None:
        return number
    shift = spelling.cast(_along(spelling, zero, len(spelling.shape(value)), axis), np.float32)
    return spelling.op("Sub", number, shift)


def _ratio(spelling: Spelling, left: ir.Value, right: ir.Value, result: ir.Value) -> ir.Value:
    """The product of two scales over a third; they hold one number, or one a column."""
    numbers = (spelling.reshape(v, ()) if int(np.prod(spelling.shape(v))) == 1 else v for v in (left, right, result))
    first, second, third = numbers
    return spelling.op("Div", spelling.op("Mul", first, second), third)


def _as_integers(spelling: Spelling, scaled: ir.Value, zero: ir.Value | None, axis: int) -> ir.Value:
    """Rounded, moved by the zero point, cut off and of the output's type."""
    wanted = spelling.node.output().dtype
    assert wanted is not None
    dtype = wanted.numpy()
    rounded = spelling.op("Round", scaled)
    if zero is not None:
        shift = spelling.cast(_along(spelling, zero, len(spelling.shape(scaled)), axis), np.float32)
        rounded = spelling.op("Add", rounded, shift)
    ends = (spelling.constant(float(bound)) for bound in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    return spelling.cast(spelling.op("Clip", rounded, *ends), dtype)


_TYPES = frozenset(
    {
        ir.DataType.FLOAT,
        ir.DataType.INT8,
        ir.DataType.UINT8,
        ir.DataType.INT16,
        ir.DataType.UINT16,
        ir.DataType.INT32,
    }
)
