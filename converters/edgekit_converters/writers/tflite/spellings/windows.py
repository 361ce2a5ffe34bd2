"""Sliding windows that no TFLite kernel has: dilated maxima and their places, and what undoes them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit_converters.writers.tflite.spelling import Spelling, spells
from edgekit_converters.writers.tflite.window import Window, window_of

_MOST_TAPS = 128


@spells("MaxPool")
def max_pool(spelling: Spelling) -> tuple[ir.Value, ...] | None:
    """Where the kernel has no form for it (dilated, integers, places of the maxima): the largest of shifted slices."""
    node = spelling.node
    places = node.output_count > 1 and node.is_used(1)
    plain = node.dtype() == np.float32 and set(node.integers("dilations", (1,))) == {1} and not places
    window = window_of(node, node.integers("kernel_shape", ()))
    beyond = any(
        (count - 1) * stride >= size + pads[0]
        for count, stride, size, pads in zip(
            window.output_sizes, window.strides, window.sizes, window.pads, strict=True
        )
    )
    if plain or beyond or math.prod(window.kernel) > _MOST_TAPS or node.integer("storage_order", 0):
        return None
    if not places:
        return (_largest(spelling, _slices(spelling, node.value(0), window, _lowest(node.dtype()))),)
    return _largest_with_places(spelling, window)


def _lowest(dtype: np.dtype[Any]) -> float | int:
    return -3.4e38 if dtype.kind == "f" else int(np.iinfo(dtype).min)


def _slices(spelling: Spelling, data: ir.Value, window: Window, filler: float) -> list[ir.Value]:
    """For every position in the window: what all windows see there."""
    pads = window.needed_pads()
    amounts = (0, 0, *(before for before, _ in pads), 0, 0, *(after for _, after in pads))
    padded = data
    if any(amounts):
        wide = spelling.cast(data, np.int32) if data.dtype not in (ir.DataType.FLOAT, ir.DataType.INT64) else data
        value = spelling.constant(np.array(filler), like=wide)
        padded = spelling.op("Pad", wide, spelling.constant(np.array(amounts, np.int64)), value)
        assert data.dtype is not None
        padded = spelling.cast(padded, data.dtype.numpy())
    found = []
    axes = spelling.constant(np.arange(2, len(window.kernel) + 2))
    steps = spelling.constant(np.array(window.strides, np.int64))
    for tap in itertools.product(*map(range, window.kernel)):
        starts = [place * dilation for place, dilation in zip(tap, window.dilations, strict=True)]
        ends = [
            start + (count - 1) * stride + 1
            for start, count, stride in zip(starts, window.output_sizes, window.strides, strict=True)
        ]
        bounds = (spelling.constant(np.array(numbers, np.int64)) for numbers in (starts, ends))
        found.append(spelling.op("Slice", padded, *bounds, axes, steps))
    return found


def _largest(spelling: Spelling, values: list[ir.Value]) -> ir.Value:
    best = values[0]
    for value in values[1:]:
        best = spelling.op("Max", best, value)
    return best


def _largest_with_places(spelling: Spelling, window: Window) -> tuple[ir.Value, ...]:
    """Beside the maxima their positions in memory: of equals the first."""
    node = spelling.node
    places = np.arange(math.prod(node.shape()), dtype=np.int32).reshape(node.shape())
    values = _slices(spelling, node.value(0), window, _lowest(node.dtype()))
    positions = _slices(spelling, spelling.constant(places), window, 0)
    best, place = values[0], positions[0]
    for value, position in zip(values[1:], positions[1:], strict=True):
        larger = spelling.op("Greater", value, best)
        best = spelling.op("Max", best, value)
        place = spelling.op("Where", larger, position, place)
    return best, spelling.cast(place, np.int64)


@spells("MaxUnpool")
def max_unpool(spelling: Spelling) -> ir.Value:
    """Every maximum at its place among zeros."""
    node = spelling.node
    if node.has(2):
        raise node.unsupported("its output shape is given; its places count in another shape then")
    size = math.prod(node.output_shape())
    zeros = spelling.constant(np.zeros(size, np.float32))
    values, places = (spelling.reshape(node.value(index), (-1,)) for index in (0, 1))
    return spelling.reshape(spelling.op("ScatterElements", zeros, places, values, axis=0), node.output_shape())


@spells("Col2Im")
def columns_to_image(spelling: Spelling) -> ir.Value:
    """A transposed convolution whose filters are 1 at one position each."""
    node = spelling.node
    image = [int(size) for size in node.required_constant(1, "image shape")]
    block = [int(size) for size in node.required_constant(2, "block shape")]
    k, taps = len(block), math.prod(block)
    strides, dilations = node.integers("strides", (1,) * k), node.integers("dilations", (1,) * k)
    pads = node.integers("pads", (0,) * 2 * k)
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(block, dilations, strict=True)]
    counts = [(image[i] + pads[i] + pads[i + k] - extents[i]) // strides[i] + 1 for i in range(k)]
    rest = [image[i] + pads[i] + pads[i + k] - extents[i] - (counts[i] - 1) * strides[i] for i in range(k)]
    batch, columns, _ = node.shape()
    channels = columns // taps
    filters = np.eye(taps, dtype=np.float32).reshape(taps, 1, *block)
    data = spelling.reshape(node.value(0), (batch * channels, taps, *counts))
    summed = spelling.op(
        "ConvTranspose",
        data,
        spelling.constant(filters),
        kernel_shape=block,
        strides=strides,
        dilations=dilations,
        pads=pads,
        output_padding=rest,
    )
    return spelling.reshape(summed, (batch, channels, *image))
