"""`shared`: what goes together because nodes share a parameter, as a cell that is called at every step, or twin branches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.dependencies import STAYS, Dependencies, Protected, Space, Units
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.training.provenance import Provenance
from edgekit_converters.training.tags import NONE
from edgekit_converters.training.ties import renamed


def shared(found: Dependencies, provenance: Provenance) -> Dependencies:
    """The dependencies with one unit for each place of a parameter, wherever it is used."""
    roots = list(range(found.unit_count + 1))  # the last stands for what stays
    for one, other in _pairs(found, provenance):
        _unite(roots, one, other)
    unit_of = np.array([_root(roots, unit) for unit in range(found.unit_count + 1)])
    unit_of[unit_of == _root(roots, found.unit_count)] = STAYS
    if np.array_equal(unit_of[:-1], np.arange(found.unit_count)):
        return found
    spaces, frozen = _joined(found.spaces, unit_of)
    made = renamed(found, unit_of, spaces)
    return dataclasses.replace(made, protected=(*made.protected, *frozen))


def refittable(consumers: Sequence[Consumer], provenance: Provenance) -> list[Consumer]:
    """Those with weights of their own: what several nodes share has one value for all of them."""
    own = [np.unique(ids[ids != NONE]) for ids in provenance.operands.values()]
    numbers, times = np.unique(np.concatenate([*own, [NONE]]), return_counts=True)
    several = numbers[times > 1]
    held = ((consumer, provenance.operands.get(consumer.use)) for consumer in consumers)
    return [consumer for consumer, ids in held if ids is None or not np.isin(ids, several).any()]


def _pairs(found: Dependencies, provenance: Provenance) -> Iterator[tuple[Units, Units]]:
    """The units of an axis of a parameter in its first use and in another."""
    first: dict[int, Use] = {}
    for use, ids in provenance.operands.items():
        there = ids[ids != NONE]
        known = first.setdefault(int(there.min()), use)
        other = provenance.operands[known]
        if known == use:
            continue
        for axis, same in enumerate(_axes(ids, other)):
            yield _units(found, known, same, other.shape[same]), _units(found, use, axis, ids.shape[axis])


def _axes(ids: NDArray[np.int64], other: NDArray[np.int64]) -> tuple[int, ...]:
    """The axes of ``other`` that hold the same as those of ``ids``, as it is or turned; none where neither is so."""
    for axes in (tuple(range(ids.ndim)), tuple(reversed(range(ids.ndim)))):
        if ids.ndim == other.ndim and np.array_equal(ids, other.transpose(axes)):
            return axes
    return ()


def _units(found: Dependencies, use: Use, axis: int, size: int) -> Units:
    cut = next((cut for cut in found.cuts_of(use) if cut.axis == axis), None)
    return np.full(size, STAYS) if cut is None else cut.units


def _root(roots: list[int], unit: int) -> int:
    while roots[unit] != unit:
        unit = roots[unit]
    return unit


def _unite(roots: list[int], one: Units, other: Units) -> None:
    for first, second in np.unique(np.stack([one, other]) % len(roots), axis=1).T:
        a, b = _root(roots, int(first)), _root(roots, int(second))
        roots[min(a, b)] = max(a, b)  # what stays is the largest


def _joined(spaces: Sequence[Space], unit_of: Units) -> tuple[tuple[Space, ...], list[Protected]]:
    """Spaces that have units in common as one; those without any left, and why."""
    found: list[Space] = []
    frozen: list[Protected] = []
    for space in spaces:
        units = np.unique(unit_of[space.units])
        units = units[units != STAYS]
        if not len(units):
            frozen.append(Protected(space.name, "it shares its weights with a layer that keeps all its channels"))
            continue
        joined = Space(space.name, units, space.makers, space.width)
        for old in [one for one in found if np.isin(one.units, units).any()]:
            found.remove(old)
            makers = (*old.makers, *joined.makers)
            joined = Space(old.name, np.union1d(old.units, joined.units), makers, old.width)
        found.append(joined)
    return tuple(found), frozen
