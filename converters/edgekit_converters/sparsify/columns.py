"""`Columns`: what a matrix meets at chosen positions, (groups, positions, columns) float32, out of a stored input value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub.patches import window_of
from edgekit_converters.sparsify.matrices import Matrix
from edgekit_converters.sparsify.solve import Floats

Places = NDArray[np.int64]
"""Numbers of output positions of one batch, samples outermost."""


def position_count(matrix: Matrix, array: NDArray[Any]) -> int:
    """Output positions of a batch."""
    op = matrix.node.op_type
    if op == "Conv":
        return int(array.shape[0]) * math.prod(window_of(matrix.node).output_sizes(array.shape[2:]))
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
        found = window_of(matrix.node).patches(array, places).reshape(len(places), -1, groups, matrix.channels)
        return np.ascontiguousarray(found.transpose(2, 0, 1, 3)).reshape(groups, len(places), -1)
    if matrix.reads_states:  # (directions, positions, units)
        return np.ascontiguousarray(array[:, places], np.float32)
    if op == "ConvTranspose":
        flat = np.moveaxis(array, 1, -1).reshape(-1, array.shape[1])[places]
        parts = flat.reshape(len(places), groups, -1).transpose(1, 0, 2)
        return np.ascontiguousarray(parts, np.float32)
    flat = array.reshape(-1, array.shape[-1])[places].astype(np.float32)
    return np.broadcast_to(flat[None], (groups, *flat.shape))
