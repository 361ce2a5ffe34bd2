"""`Columns`: what a matrix meets at chosen positions, (groups, positions, columns) float32, out of a stored input value."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub.edit import attribute
from edgekit_converters.sparsify.matrices import Matrix
from edgekit_converters.sparsify.solve import Floats

Places = NDArray[np.int64]
"""Numbers of output positions of one batch, samples outermost."""


def position_count(matrix: Matrix, array: NDArray[Any]) -> int:
    """Output positions of a batch."""
    op = matrix.node.op_type
    if op == "Conv":
        return int(array.shape[0]) * math.prod(_output_sizes(matrix, array.shape[2:]))
    if matrix.reads_states:
        return int(array.shape[1])
    channels = array.shape[1] if op == "ConvTranspose" else array.shape[-1]
    return int(array.size // channels)


def columns_at(matrix: Matrix, array: NDArray[Any], places: Places) -> Floats:
    """The inputs of the matrix's rows at ``places``; of a batch (samples, channels, ...), of rows otherwise."""
    return matrix.cut(_whole_columns(matrix, array, places))


def _whole_columns(matrix: Matrix, array: NDArray[Any], places: Places) -> Floats:
    op, groups = matrix.node.op_type, matrix.groups
    if op == "Conv":
        return _patches(matrix, array, places)
    if matrix.reads_states:  # (directions, positions, units)
        return np.ascontiguousarray(array[:, places], np.float32)
    if op == "ConvTranspose":
        flat = np.moveaxis(array, 1, -1).reshape(-1, array.shape[1])[places]
        parts = flat.reshape(len(places), groups, -1).transpose(1, 0, 2)
        return np.ascontiguousarray(parts, np.float32)
    flat = array.reshape(-1, array.shape[-1])[places].astype(np.float32)
    return np.broadcast_to(flat[None], (groups, *flat.shape))


def _patches(matrix: Matrix, array: NDArray[Any], places: Places) -> Floats:
    kernel, strides, dilations, pads = _window(matrix, array.shape[2:])
    rank, groups = len(kernel), matrix.groups
    sample, *at = np.unravel_index(places, (array.shape[0], *_output_sizes(matrix, array.shape[2:])))
    padded = np.pad(array, ((0, 0), (0, 0), *((pads[axis], pads[axis + rank]) for axis in range(rank))))
    taps = []
    for offset in itertools.product(*map(range, kernel)):
        where = (at[axis] * strides[axis] + offset[axis] * dilations[axis] for axis in range(rank))
        index: Any = (sample, slice(None), *where)
        taps.append(padded[index].astype(np.float32))
    found = np.stack(taps, axis=1).reshape(len(places), len(taps), groups, -1)  # (positions, taps, groups, channels)
    return np.ascontiguousarray(found.transpose(2, 0, 1, 3)).reshape(groups, len(places), -1)


def _output_sizes(matrix: Matrix, sizes: tuple[int, ...]) -> tuple[int, ...]:
    kernel, strides, dilations, pads = _window(matrix, sizes)
    rank = len(kernel)
    return tuple(
        (sizes[axis] + pads[axis] + pads[axis + rank] - dilations[axis] * (kernel[axis] - 1) - 1) // strides[axis] + 1
        for axis in range(rank)
    )


def _window(matrix: Matrix, sizes: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Kernel, strides, dilations and (begins, ends) of the padding."""
    node = matrix.node
    kernel = matrix.spatial
    ones = (1,) * len(kernel)
    strides = attribute(node, "strides", ones)
    dilations = attribute(node, "dilations", ones)
    automatic = attribute(node, "auto_pad", "NOTSET")
    if automatic.startswith("SAME"):
        pads = _same_pads(sizes, kernel, strides, dilations, upper=automatic == "SAME_UPPER")
    else:
        pads = attribute(node, "pads", (0,) * (2 * len(kernel)))
    return kernel, strides, dilations, pads


def _same_pads(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    *,
    upper: bool,
) -> tuple[int, ...]:
    begins, ends = [], []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        whole = max(0, (math.ceil(size / stride) - 1) * stride + dilation * (width - 1) + 1 - size)
        small, large = whole // 2, whole - whole // 2
        begins.append(small if upper else large)
        ends.append(large if upper else small)
    return (*begins, *ends)
