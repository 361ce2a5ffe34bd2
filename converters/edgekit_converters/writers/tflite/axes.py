"""Axes of a hub node carried over to the tensor that holds its input."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from edgekit_converters.writers.tflite.layout import Permutation


def normalized(axis: int, rank: int) -> int:
    """A non-negative axis; negative ones count from the end, as ONNX has it."""
    return axis + rank if axis < 0 else axis


def physical(axes: Sequence[int], layout: Permutation) -> list[int]:
    """Where the logical ``axes`` are in a tensor held in ``layout``."""
    return sorted(layout.index(axis) for axis in axes)


def without(layout: Permutation, axes: Collection[int]) -> Permutation:
    """The permutation of what is left when the logical ``axes`` are removed."""
    kept = [axis for axis in layout if axis not in axes]
    order = sorted(kept)
    return tuple(order.index(axis) for axis in kept)


def replaced(layout: Permutation, axis: int, count: int) -> Permutation:
    """The permutation when ``count`` consecutive axes take the place of the logical ``axis``."""
    found: list[int] = []
    for other in layout:
        if other == axis:
            found += range(axis, axis + count)
        else:
            found.append(other if other < axis else other + count - 1)
    return tuple(found)
