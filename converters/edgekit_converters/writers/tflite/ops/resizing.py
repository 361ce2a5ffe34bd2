"""Resize: the native kernels where they compute the same, else constant indices or constant matrices, axis by axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.writers.tflite.axes import normalized
from edgekit_converters.writers.tflite.data_movement import take
from edgekit_converters.writers.tflite.flat_model import BuiltinOptions, FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.interpolation import (
    AxisResize,
    cubic_matrix,
    linear_matrix,
    nearest_indices,
    nearest_matrix,
)
from edgekit_converters.writers.tflite.layout import Permutation
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import read_movable
from edgekit_converters.writers.tflite.sharing import require_shared_encoding
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape


@lowers("Resize", int8=True)
def resize(node: HubNode, out: FlatGraph) -> None:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR when one of their settings takes exactly the same positions or
    weights; else nearest is a GATHER and the others are products with constant matrices (in float)."""
    axes = resized_axes(node)
    moved = [axis for axis, how in enumerate(axes) if not how.unchanged]
    if not moved:
        out.alias(node)
        return
    native = _native(node, axes, moved)
    if native is not None:
        _resize_natively(node, out, axes, native)
    elif node.text("mode", "nearest") == "nearest" and not any(how.outside().any() for how in axes):
        _resize_by_indices(node, out, axes, moved)
    else:
        _resize_by_matrices(node, out, axes, moved)


def resized_axes(node: HubNode) -> list[AxisResize]:
    """How each logical axis is resized, from the node's sizes or scales."""
    rank, shape, resized = node.rank(), node.shape(), node.output_shape()
    chosen = [normalized(axis, rank) for axis in node.integers("axes", range(rank))]
    transform = node.text("coordinate_transformation_mode", "half_pixel")
    region = _regions(node, len(chosen))
    found = [AxisResize(size, size, 1.0, "asymmetric") for size in shape]
    for place, (axis, scale) in enumerate(zip(chosen, _scales(node, chosen), strict=True)):
        found[axis] = AxisResize(shape[axis], resized[axis], scale, transform, region[place])
    return found


def _scales(node: HubNode, axes: list[int]) -> list[float]:
    if node.has(2) and node.required_constant(2, "list of scales").size:
        return [float(scale) for scale in node.required_constant(2, "list of scales").reshape(-1)]
    shape, sizes = node.shape(), node.required_constant(3, "list of sizes").reshape(-1).tolist()
    ratios = [size / shape[axis] for size, axis in zip(sizes, axes, strict=True)]
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return ratios
    return [(min if policy == "not_larger" else max)(ratios)] * len(axes)


def _regions(node: HubNode, count: int) -> list[tuple[float, float]]:
    if node.text("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        return [(0.0, 1.0)] * count
    region = node.required_constant(1, "region of interest").reshape(-1).tolist()
    return list(zip(region[:count], region[count:], strict=True))


@dataclass(frozen=True, slots=True)
class _Native:
    """A builtin with its settings, and the permutation it works in: batch, height, width, channels."""

    builtin: str
    settings: BuiltinOptions
    permutation: Permutation


def _native(node: HubNode, axes: list[AxisResize], moved: list[int]) -> _Native | None:
    """The kernel and settings that compute exactly this; None when there are none."""
    mode = node.text("mode", "nearest")
    permutation = _permutation(len(axes), moved)
    if permutation is None or mode == "cubic" or any(axes[axis].outside().any() for axis in moved):
        return None
    nearest = mode == "nearest"
    for aligned, centred in ((False, False), (True, False), (False, True)):
        if all(_same(node, axes[axis], aligned, centred) for axis in permutation[1:3]):
            table = "ResizeNearestNeighborOptions" if nearest else "ResizeBilinearOptions"
            builtin = "RESIZE_NEAREST_NEIGHBOR" if nearest else "RESIZE_BILINEAR"
            return _Native(builtin, options(table, alignCorners=aligned, halfPixelCenters=centred), permutation)
    return None


def _permutation(rank: int, moved: list[int]) -> Permutation | None:
    """(batch, height, width, channels) of a rank 4 value whose resized axes are two neighbours or one of them."""
    if rank != 4:
        return None
    if set(moved) <= {2, 3}:
        return (0, 2, 3, 1)
    return (0, 1, 2, 3) if set(moved) <= {1, 2} else None


def _same(node: HubNode, axis: AxisResize, aligned: bool, centred: bool) -> bool:
    if node.text("mode", "nearest") == "nearest":
        wanted = nearest_indices(axis, node.text("nearest_mode", "round_prefer_floor"))
        return np.array_equal(wanted, _native_indices(axis, aligned, centred))
    return np.allclose(_matrix(node, axis), _native_weights(axis, aligned, centred), atol=1e-6)


def _native_step(axis: AxisResize, aligned: bool) -> np.float32:
    if aligned and axis.resized > 1:
        return np.float32(axis.size - 1) / np.float32(axis.resized - 1)
    return np.float32(axis.size) / np.float32(axis.resized)


def _native_indices(axis: AxisResize, aligned: bool, centred: bool) -> NDArray[np.int32]:
    """What RESIZE_NEAREST_NEIGHBOR reads (kernels/internal/reference/resize_nearest_neighbor.h, GetNearestNeighbor)."""
    position = np.arange(axis.resized, dtype=np.float32) + np.float32(0.5 if centred else 0.0)
    place = position * _native_step(axis, aligned)
    # Coordinates are not negative, so rounding halves away from 0 is rounding them up.
    index = np.floor(place.astype(np.float64) + 0.5) if aligned else np.floor(place)
    return np.clip(index, 0, axis.size - 1).astype(np.int32)


def _native_weights(axis: AxisResize, aligned: bool, centred: bool) -> NDArray[np.float32]:
    """What RESIZE_BILINEAR computes (kernels/internal/reference/resize_bilinear.h, ComputeInterpolationValues)."""
    step = _native_step(axis, aligned)
    position = np.arange(axis.resized, dtype=np.float32)
    place = (position + np.float32(0.5)) * step - np.float32(0.5) if centred else position * step
    lower = np.maximum(np.floor(place), 0).astype(np.int64)
    upper = np.clip(np.ceil(place), 0, axis.size - 1).astype(np.int64)
    matrix = np.zeros((axis.resized, axis.size), np.float32)
    rows = np.arange(axis.resized)
    np.add.at(matrix, (rows, np.minimum(lower, axis.size - 1)), 1 - (place - lower))
    np.add.at(matrix, (rows, upper), place - lower)
    return matrix


def _resize_natively(node: HubNode, out: FlatGraph, axes: list[AxisResize], native: _Native) -> None:
    require_shared_encoding(node, out)
    size = out.tape.constant(np.array([axes[axis].resized for axis in native.permutation[1:3]], np.int32), name="size")
    inputs = read_movable(node, out, 0, native.permutation), size
    out.tape.add(native.builtin, inputs, out.output(node, native.permutation), native.settings)


def _resize_by_indices(node: HubNode, out: FlatGraph, axes: list[AxisResize], moved: list[int]) -> None:
    require_shared_encoding(node, out)
    layout, rounding = out.layout(node), node.text("nearest_mode", "round_prefer_floor")
    x = read_movable(node, out, 0, layout)
    for axis in moved:
        x = take(out.tape, x, nearest_indices(axes[axis], rounding), layout.index(axis))
    out.bind(node, x, layout)


def _resize_by_matrices(node: HubNode, out: FlatGraph, axes: list[AxisResize], moved: list[int]) -> None:
    layout = out.layout(node)
    x = out.read_float(node, 0, layout)
    if not x.is_float:
        raise node.unsupported(f"TFLite interpolates float32 this way, not {x.dtype.name}; cast the input")
    for axis in moved:
        x = _multiplied(out.tape, x, _matrix(node, axes[axis]), layout.index(axis))
    beyond = _extrapolation(node, axes)
    if beyond is not None:
        x = out.tape.compute(
            "ADD", x, out.tape.constant(beyond.transpose(layout)), builtin_options=options("AddOptions")
        )
    out.bind(node, out.tape.encode(x, out.output_params(node)), layout)


def _multiplied(tape: Tape, x: FlatTensor, matrix: NDArray[np.float32], axis: int) -> FlatTensor:
    """The matrix (resized, size) applied along one axis: a batch matrix product on (before, axis, after)."""
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    columns = tape.reshape(x, (before, x.shape[axis], after))
    shape = (before, matrix.shape[0], after)
    table = options("BatchMatMulOptions")
    product = tape.compute("BATCH_MATMUL", tape.constant(matrix[None]), columns, builtin_options=table, shape=shape)
    return tape.reshape(product, (*x.shape[:axis], matrix.shape[0], *x.shape[axis + 1 :]))


def _matrix(node: HubNode, axis: AxisResize) -> NDArray[np.float32]:
    """Weights of one axis; rows beyond the picture are 0."""
    mode = node.text("mode", "nearest")
    antialias, exclude = bool(node.integer("antialias", 0)), bool(node.integer("exclude_outside", 0))
    if mode == "nearest":
        matrix = nearest_matrix(axis, node.text("nearest_mode", "round_prefer_floor"))
    elif mode == "linear":
        matrix = linear_matrix(axis, antialias, exclude)
    else:
        matrix = cubic_matrix(axis, node.number("cubic_coeff_a", -0.75), antialias, exclude)
    return np.where(axis.outside()[:, None], np.float32(0), matrix)


def _extrapolation(node: HubNode, axes: list[AxisResize]) -> NDArray[np.float32] | None:
    """The extrapolation value where any axis lies beyond the picture, 0 elsewhere; None when nothing does."""
    value = node.number("extrapolation_value", 0.0)
    masks = list(_outside(axes))
    if value == 0.0 or not any(mask.any() for mask in masks):
        return None
    beyond = np.zeros([axis.resized if mask.any() else 1 for axis, mask in zip(axes, masks, strict=True)], np.bool_)
    for place, mask in enumerate(masks):
        if mask.any():
            beyond |= mask.reshape([-1 if axis == place else 1 for axis in range(len(axes))])
    return np.where(beyond, np.float32(value), np.float32(0))


def _outside(axes: list[AxisResize]) -> Iterator[NDArray[np.bool_]]:
    return (axis.outside() for axis in axes)
