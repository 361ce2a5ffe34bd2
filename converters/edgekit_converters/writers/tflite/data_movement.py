"""Tensor-level operations that move numbers without computing: on top of those of `Tape`, and like them free of the hub."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.writers.tflite.flat_model import FlatTensor, Shape, options
from edgekit_converters.writers.tflite.tape import Tape

_JOINED_PARTS = 5
"""The most inputs of a CONCATENATION that XNNPACK computes."""
_PAD_RANK = 5
"""The highest rank of the PAD kernels."""


def broadcast(tape: Tape, tensor: FlatTensor, shape: Shape) -> FlatTensor:
    """The tensor repeated to ``shape``, of the same rank; itself when it has it."""
    if tensor.shape == shape:
        return tensor
    sizes = tape.constant(np.array(shape, np.int32), name="shape")
    output = tape.temporary(shape, tensor.dtype, tensor.params)
    return tape.add("BROADCAST_TO", (tensor, sizes), output, options("BroadcastToOptions"))


def take(tape: Tape, tensor: FlatTensor, indices: NDArray[np.int32], axis: int) -> FlatTensor:
    """The positions ``indices`` (one dimension, not negative) of one axis; the tensor itself when they are all of them.

    A few runs of neighbours are slices joined by a CONCATENATION, which XNNPACK computes and GATHER it does not.
    """
    if np.array_equal(indices, np.arange(tensor.shape[axis])):
        return tensor
    shape = (*tensor.shape[:axis], indices.size, *tensor.shape[axis + 1 :])
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    if len(runs) > _JOINED_PARTS:
        return gather(tape, tensor, tape.constant(indices.astype(np.int32), name="indices"), axis, shape)
    parts = [_slice_of_axis(tape, tensor, axis, int(run[0]), run.size) for run in runs]
    if len(parts) == 1:
        return parts[0]
    output = tape.temporary(shape, tensor.dtype, tensor.params)
    return tape.add("CONCATENATION", parts, output, options("ConcatenationOptions", axis=axis))


def _slice_of_axis(tape: Tape, tensor: FlatTensor, axis: int, start: int, count: int) -> FlatTensor:
    begin = [start if place == axis else 0 for place in range(tensor.rank)]
    return tape.slice(tensor, begin, [count if place == axis else size for place, size in enumerate(tensor.shape)])


def gather(tape: Tape, tensor: FlatTensor, indices: FlatTensor, axis: int, shape: Shape) -> FlatTensor:
    output = tape.temporary(shape, tensor.dtype, tensor.params)
    return tape.add("GATHER", (tensor, indices), output, options("GatherOptions", axis=axis))


def gather_from_flat(tape: Tape, tensor: FlatTensor, indices: FlatTensor, shape: Shape) -> FlatTensor:
    """Single elements by their position in memory; ``shape`` is that of ``indices``."""
    flat = tape.reshape(tensor, (int(np.prod(tensor.shape)),))
    return gather(tape, flat, indices, 0, shape)


def transposed_last_two(tape: Tape, tensor: FlatTensor) -> FlatTensor:
    return tape.transpose(tensor, (*range(tensor.rank - 2), tensor.rank - 1, tensor.rank - 2))


def padded(tape: Tape, tensor: FlatTensor, pads: Sequence[tuple[int, int]], value: float | None) -> FlatTensor:
    """`Tape.pad` for any rank: neighbouring axes that are not padded are padded as one."""
    if tensor.rank <= _PAD_RANK:
        return tape.pad(tensor, pads, value)
    groups = [list(group) for _, group in groupby(range(tensor.rank), key=lambda axis: _own_group(axis, pads))]
    merged = tape.reshape(tensor, [int(np.prod([tensor.shape[axis] for axis in group])) for group in groups])
    result = tape.pad(merged, [pads[group[0]] for group in groups], value)
    shape = [size + before + after for size, (before, after) in zip(tensor.shape, pads, strict=True)]
    return tape.reshape(result, shape)


def pads_within_kernel_rank(pads: Sequence[tuple[int, int]]) -> bool:
    groups = [key for key, _ in groupby(range(len(pads)), key=lambda axis: _own_group(axis, pads))]
    return len(groups) <= _PAD_RANK


def _own_group(axis: int, pads: Sequence[tuple[int, int]]) -> int:
    """Padded axes stand alone; runs of others share the number -1."""
    return axis if any(pads[axis]) else -1
