"""Permutations between a value's logical axes (the hub's) and the axes of the tensor that holds it.

A ``Permutation`` p says that physical axis j holds logical axis ``p[j]``: ``physical = logical.transpose(p)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgekit_converters.writers.tflite.flat_model import Shape

Permutation = tuple[int, ...]


def identity(rank: int) -> Permutation:
    return tuple(range(rank))


def channels_last(rank: int) -> Permutation:
    """(0, 2, 3, 1) for rank 4: the batch, the spatial axes, then the channels."""
    return (0, *range(2, rank), 1) if rank > 2 else identity(rank)


def inverse(permutation: Permutation) -> Permutation:
    return tuple(permutation.index(axis) for axis in range(len(permutation)))


def compose(outer: Permutation, inner: Permutation) -> Permutation:
    """The permutation r with ``x.transpose(r) == x.transpose(outer).transpose(inner)``."""
    return tuple(outer[axis] for axis in inner)


def permuted(sizes: Sequence[int], permutation: Permutation) -> Shape:
    return tuple(sizes[axis] for axis in permutation)


def between(source: Permutation, target: Permutation) -> Permutation:
    """The transposition that turns a tensor held in ``source`` into one held in ``target``."""
    return tuple(source.index(axis) for axis in target)


def moves_data(shape: Sequence[int], permutation: Permutation) -> bool:
    """False when only axes of size 1 change place, so that a reshape does the same."""
    kept = [axis for axis in permutation if shape[axis] != 1]
    return kept != sorted(kept)


def axis_last(permutation: Permutation, axis: int) -> Permutation:
    """``permutation`` with the logical ``axis`` moved to the end; itself when it is there already."""
    return (*(other for other in permutation if other != axis), axis)


def reshaped(shape: Shape, target: Shape, permutation: Permutation) -> Permutation | None:
    """The permutation in which a reshape leaves a tensor, or None when the data would have to move first.

    A reshape keeps the data in place when every group of axes that it merges or splits lies together and in order in
    the physical tensor: (N, C, H, W) -> (N, G, C/G, H, W) held as NHWC gives (N, H, W, G, C/G).
    """
    groups = _common_groups(shape, target)
    if groups is None:
        return None
    position = inverse(permutation)
    starts: list[tuple[int, list[int]]] = []
    trailing: list[int] = []
    for sources, targets in groups:
        wide = [axis for axis in sources if shape[axis] != 1]
        if not wide:
            if sources:
                starts.append((position[sources[0]], targets))
            else:
                trailing += targets
            continue
        places = [position[axis] for axis in wide]
        between_them = [permutation[place] for place in range(min(places), max(places) + 1)]
        if places != sorted(places) or [axis for axis in between_them if shape[axis] != 1] != wide:
            return None
        starts.append((places[0], targets))
    ordered = [axis for _, targets in sorted(starts, key=lambda start: start[0]) for axis in targets]
    return tuple(_with_ones(ordered, trailing))


def _with_ones(ordered: list[int], ones: list[int]) -> list[int]:
    """Axes of size 1 may stand anywhere; in front of the next logical axis they disturb least."""
    found = list(ordered)
    for axis in sorted(ones, reverse=True):
        place = found.index(axis + 1) if axis + 1 in found else len(found)
        found.insert(place, axis)
    return found


def _common_groups(shape: Shape, target: Shape) -> list[tuple[list[int], list[int]]] | None:
    """The finest split of both shapes into consecutive groups of equal size, each with an axis of both while there are any."""
    groups: list[tuple[list[int], list[int]]] = []
    left = right = 0
    while left < len(shape) or right < len(target):
        sources, targets = list(range(left, min(left + 1, len(shape)))), list(range(right, min(right + 1, len(target))))
        left, right = left + len(sources), right + len(targets)
        while (size := math.prod(shape[axis] for axis in sources)) != (
            wanted := math.prod(target[axis] for axis in targets)
        ):
            if size < wanted and left < len(shape):
                sources.append(left)
                left += 1
            elif size > wanted and right < len(target):
                targets.append(right)
                right += 1
            else:
                return None
        groups.append((sources, targets))
    return groups
