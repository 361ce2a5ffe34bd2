"""Resizing one axis as numbers: the row of weights, or the index, that each output position takes from the input.

The formulas are those of the ONNX operator `Resize` (opset 19 and later).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class AxisResize:
    """One axis goes from ``size`` to ``resized`` positions. ``region`` is used by the transform tf_crop_and_resize."""

    size: int
    resized: int
    scale: float
    transform: str
    region: tuple[float, float] = (0.0, 1.0)

    @property
    def unchanged(self) -> bool:
        return self.size == self.resized and self.scale == 1.0 and self.transform != "tf_crop_and_resize"

    def coordinates(self) -> Floats:
        """Position in the input, in pixels, of every output position; shape (resized,)."""
        position = np.arange(self.resized, dtype=np.float64)
        return _TRANSFORMS[self.transform](self, position).astype(np.float32)

    def outside(self) -> NDArray[np.bool_]:
        """Output positions that tf_crop_and_resize fills with the extrapolation value."""
        if self.transform != "tf_crop_and_resize":
            return np.zeros(self.resized, np.bool_)
        coordinates = self.coordinates()
        return (coordinates < 0) | (coordinates > self.size - 1)


def nearest_indices(axis: AxisResize, rounding: str) -> Indices:
    """Input index of every output position; shape (resized,)."""
    indices: Indices = np.clip(_ROUNDINGS[rounding](axis.coordinates()), 0, axis.size - 1).astype(np.int32)
    return indices


def nearest_matrix(axis: AxisResize, rounding: str) -> Floats:
    """Weights of shape (resized, size): 1 at the nearest index."""
    return np.eye(axis.size, dtype=np.float32)[nearest_indices(axis, rounding)]


def linear_matrix(axis: AxisResize, antialias: bool, exclude_outside: bool = False) -> Floats:
    """Weights of shape (resized, size) of linear interpolation."""
    if antialias:
        return _antialiased(axis, lambda distance: np.maximum(1 - np.abs(distance), 0), 1, exclude_outside)
    position = np.clip(axis.coordinates(), 0, axis.size - 1)
    lower = np.floor(position).astype(np.int64)
    weight = position - lower
    matrix = np.zeros((axis.resized, axis.size), np.float32)
    rows = np.arange(axis.resized)
    matrix[rows, lower] += 1 - weight
    matrix[rows, np.minimum(lower + 1, axis.size - 1)] += weight
    return matrix


def cubic_matrix(axis: AxisResize, coefficient: float, antialias: bool, exclude_outside: bool) -> Floats:
    """Weights of shape (resized, size) of cubic convolution (Keys 1981); ``coefficient`` is ONNX's cubic_coeff_a."""
    if antialias:
        return _antialiased(axis, lambda distance: _keys(distance, coefficient), 2, exclude_outside)
    position = axis.coordinates()
    first = np.floor(position).astype(np.int64) - 1
    matrix = np.zeros((axis.resized, axis.size), np.float32)
    rows = np.arange(axis.resized)
    for tap in range(4):
        index = first + tap
        weight = _keys(position - index, coefficient)
        if exclude_outside:
            weight = np.where((index >= 0) & (index < axis.size), weight, 0)
        np.add.at(matrix, (rows, np.clip(index, 0, axis.size - 1)), weight.astype(np.float32))
    return matrix / matrix.sum(axis=1, keepdims=True) if exclude_outside else matrix


def _antialiased(axis: AxisResize, kernel: Callable[[Floats], Floats], support: int, exclude_outside: bool) -> Floats:
    """The kernel stretched over the input pixels that one output pixel covers; the border is cut off or repeated."""
    scale = min(axis.scale, 1.0)
    border = 0 if exclude_outside else math.ceil(support / scale)
    index = np.arange(-border, axis.size + border)
    distance = index.astype(np.float32) - axis.coordinates()[:, None]
    weights = np.where(np.abs(distance) * scale < support, kernel(distance * np.float32(scale)), 0)
    weights = weights / weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((axis.resized, axis.size), np.float32)
    for column, nearest in zip(weights.astype(np.float32).T, np.clip(index, 0, axis.size - 1), strict=True):
        matrix[:, nearest] += column
    return matrix


def _keys(distance: Floats, a: float) -> Floats:
    x = np.abs(distance).astype(np.float32)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0)).astype(np.float32)


def _half_pixel(axis: AxisResize, position: Doubles) -> Doubles:
    return (position + 0.5) / axis.scale - 0.5


def _half_pixel_symmetric(axis: AxisResize, position: Doubles) -> Doubles:
    """The resized picture stays centred although its size was rounded down."""
    adjustment = axis.resized / (axis.scale * axis.size)
    return axis.size / 2 * (1 - adjustment) + _half_pixel(axis, position)


def _pytorch_half_pixel(axis: AxisResize, position: Doubles) -> Doubles:
    return _half_pixel(axis, position) if axis.resized > 1 else np.zeros_like(position)


def _align_corners(axis: AxisResize, position: Doubles) -> Doubles:
    return position * (axis.size - 1) / max(axis.resized - 1, 1)


def _asymmetric(axis: AxisResize, position: Doubles) -> Doubles:
    return position / axis.scale


def _crop_and_resize(axis: AxisResize, position: Doubles) -> Doubles:
    start, end = axis.region
    last = axis.size - 1
    if axis.resized == 1:
        return np.full_like(position, 0.5 * (start + end) * last)
    return start * last + position * (end - start) * last / (axis.resized - 1)


_TRANSFORMS: dict[str, Callable[[AxisResize, Doubles], Doubles]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "tf_crop_and_resize": _crop_and_resize,
}

_ROUNDINGS: dict[str, Callable[[Floats], NDArray[np.floating]]] = {
    # In float64: 3.4999998 + 0.5 is 4 in float32.
    "round_prefer_floor": lambda position: np.ceil(position.astype(np.float64) - 0.5),
    "round_prefer_ceil": lambda position: np.floor(position.astype(np.float64) + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
