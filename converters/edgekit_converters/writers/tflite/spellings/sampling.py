"""Reading a tensor at positions that are computed: rows of it, gathered and weighted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgekit_converters.writers.tflite.spelling import Spelling, spells

_CUBIC = -0.75
"""The coefficient of the cubic convolution (Keys 1981) that ONNX prescribes."""
_MODES = {"linear", "nearest", "cubic", "bilinear", "bicubic"}


@spells("GridSample")
def grid_sample(spelling: Spelling) -> ir.Value:
    """Rows of channels are gathered at the corners around every position, and added with their weights."""
    node, k = spelling.node, spelling.node.rank() - 2
    mode = node.text("mode", "linear")
    if mode not in _MODES or node.dtype() != np.float32:
        raise node.unsupported(
            f"its mode is {mode} and its input {node.dtype().name}; expected a known mode and float32"
        )
    batch, channels, *sizes = node.shape()
    rows = spelling.transpose(node.value(0), (0, *range(2, k + 2), 1))
    rows = spelling.reshape(rows, (batch * math.prod(sizes), channels))
    inside = "none" if "cubic" in mode else node.text("padding_mode", "zeros")  # a cubic's border holds by tap
    taps = [_taps(spelling, _positions(spelling, axis, sizes[axis], inside), sizes[axis], mode) for axis in range(k)]
    start = np.arange(batch, dtype=np.int64).reshape(batch, *[1] * k) * math.prod(sizes)
    total: ir.Value | None = None
    for corner in itertools.product(*taps):
        row = _row(spelling, [index for index, _ in corner], sizes, start)
        read = spelling.op("Gather", rows, row, axis=0)
        for _, weight in corner:
            if weight is not None:
                read = spelling.op("Mul", read, spelling.op("Unsqueeze", weight, spelling.constant(np.array([-1]))))
        total = read if total is None else spelling.op("Add", total, read)
    assert total is not None
    return spelling.transpose(total, (0, k + 1, *range(1, k + 1)))


_Tap = tuple[ir.Value, "ir.Value | None"]


def _positions(spelling: Spelling, axis: int, size: int, padding: str) -> ir.Value:
    """Positions along a spatial axis, in elements: (N, out...). The grid names the axes in reverse order."""
    node, k = spelling.node, spelling.node.rank() - 2
    place = k - 1 - axis
    grid = spelling.slice(node.value(1), node.rank(1) - 1, place, place + 1)
    grid = spelling.reshape(grid, node.shape(1)[:-1])
    aligned = bool(node.integer("align_corners", 0))
    span, shift = ((size - 1) / 2, (size - 1) / 2) if aligned else (size / 2, (size - 1) / 2)
    position = spelling.op("Add", spelling.op("Mul", grid, spelling.constant(span)), spelling.constant(shift))
    return _inside(spelling, position, size, padding)


def _inside(spelling: Spelling, position: ir.Value, size: int, padding: str) -> ir.Value:
    """The position that stands for one outside: the nearest, or the one mirrored at the border."""
    if padding == "border":
        return _clipped(spelling, position, size)
    if padding != "reflection":
        return position
    aligned = bool(spelling.node.integer("align_corners", 0))
    low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
    if high == low:
        return spelling.op("Mul", position, spelling.constant(0.0))
    distance = spelling.op("Abs", spelling.op("Sub", position, spelling.constant(low)))
    period = spelling.constant(2 * (high - low))
    rest = spelling.op("Mod", distance, period, fmod=1)
    mirrored = spelling.op("Min", rest, spelling.op("Sub", period, rest))
    return spelling.op("Add", mirrored, spelling.constant(low))


def _clipped(spelling: Spelling, position: ir.Value, size: int) -> ir.Value:
    return spelling.op("Clip", position, spelling.constant(0.0), spelling.constant(size - 1.0))


def _taps(spelling: Spelling, position: ir.Value, size: int, mode: str) -> list[_Tap]:
    """Index and weight of what is read along one axis."""
    if mode == "nearest":
        return [_tap(spelling, spelling.op("Round", position), None, size)]
    floor = spelling.op("Floor", position)
    part = spelling.op("Sub", position, floor)
    if "linear" in mode:
        weights = [spelling.op("Sub", spelling.constant(1.0), part), part]
        offsets: Sequence[int] = (0, 1)
    else:
        weights = [_cubic(spelling, part, offset) for offset in (-1, 0, 1, 2)]
        offsets = (-1, 0, 1, 2)
    found = []
    for offset, weight in zip(offsets, weights, strict=True):
        index = spelling.op("Add", floor, spelling.constant(float(offset))) if offset else floor
        found.append(_tap(spelling, index, weight, size))
    return found


def _tap(spelling: Spelling, index: ir.Value, weight: ir.Value | None, size: int) -> _Tap:
    """Beyond the border the weight is 0, or the index that of the element which stands for it."""
    padding = spelling.node.text("padding_mode", "zeros")
    clipped = _clipped(spelling, _inside(spelling, index, size, padding), size)
    whole = spelling.cast(spelling.op("Round", clipped), np.int64)
    if padding == "zeros":
        known = spelling.cast(spelling.op("Equal", clipped, index), np.float32)
        weight = known if weight is None else spelling.op("Mul", weight, known)
    return whole, weight


def _cubic(spelling: Spelling, part: ir.Value, offset: int) -> ir.Value:
    """Weight of the element ``offset`` from the floor, by its distance from the position."""
    sign = -1.0 if offset > 0 else 1.0
    distance = spelling.op(
        "Add", spelling.op("Mul", part, spelling.constant(sign)), spelling.constant(-sign * float(offset))
    )
    a = _CUBIC
    near = offset in (0, 1)
    coefficients = (a + 2, -(a + 3), 0.0, 1.0) if near else (a, -5 * a, 8 * a, -4 * a)
    total = spelling.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        total = spelling.op("Add", spelling.op("Mul", total, distance), spelling.constant(coefficient))
    return total


def _row(
    spelling: Spelling,
    indices: Sequence[ir.Value],
    sizes: Sequence[int],
    start: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> ir.Value:
    """The row of a sample's element at ``indices``."""
    row = spelling.constant(start)
    for axis, index in enumerate(indices):
        stride = math.prod(sizes[axis + 1 :])
        scaled = index if stride == 1 else spelling.op("Mul", index, spelling.constant(stride))
        row = spelling.op("Add", row, scaled)
    return row
