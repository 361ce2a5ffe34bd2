"""Layers of which a framework wants the same number of units in each: their units go together, the weakest with the weakest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.prune.dependencies import STAYS, Dependencies, Space, Units
from edgekit_converters.training.provenance import Provenance


def tied(found: Dependencies, provenance: Provenance, strengths: NDArray[np.float64]) -> Dependencies:
    """The dependencies with one space in the place of those whose parameters are tied (`Parameter.tied`).

    ``strengths``: by unit; units of the same rank in each space become one. Spaces of different sizes stay as they are.
    """
    groups: dict[str, list[Space]] = {}
    for space in found.spaces:
        if name := _tie_of(space, provenance):
            groups.setdefault(name, []).append(space)
    several = [group for group in groups.values() if len(group) > 1 and len({len(one.units) for one in group}) == 1]
    return _merged(found, several, strengths) if several else found


def _tie_of(space: Space, provenance: Provenance) -> str:
    """What the parameters of the nodes that make the units are tied by."""
    numbers = [ids for use, ids in provenance.operands.items() if use.node in space.makers]
    for parameter in provenance.parameters:
        if parameter.tied and parameter.name in provenance.tags.starts:
            own = provenance.tags.range_of(parameter)
            if any(((ids >= own.start) & (ids < own.stop)).any() for ids in numbers):
                return parameter.tied
    return ""


def _merged(found: Dependencies, groups: Iterable[Sequence[Space]], strengths: NDArray[np.float64]) -> Dependencies:
    unit_of = np.arange(found.unit_count)
    first_of: dict[str, Space] = {}
    merged: set[str] = set()
    for group in groups:
        ranked = [space.units[np.argsort(strengths[space.units], kind="stable")] for space in group]
        for units in ranked[1:]:
            unit_of[units] = ranked[0]
        names, makers = [space.name for space in group], tuple(maker for space in group for maker in space.makers)
        first_of[names[0]] = Space(" + ".join(names), np.sort(ranked[0]), makers, sum(space.width for space in group))
        merged |= set(names)

    kept = (
        first_of.get(space.name, space) for space in found.spaces if space.name in first_of or space.name not in merged
    )
    return renamed(found, np.append(unit_of, STAYS), tuple(kept))


def renamed(found: Dependencies, unit_of: Units, spaces: tuple[Space, ...]) -> Dependencies:
    """The dependencies with other units: ``unit_of`` by the old one, with `STAYS` for its last element."""
    return dataclasses.replace(
        found,
        cuts=tuple(dataclasses.replace(cut, units=unit_of[cut.units]) for cut in found.cuts),
        counts=tuple(dataclasses.replace(count, units=unit_of[count.units]) for count in found.counts),
        axes={name: {axis: unit_of[units] for axis, units in own.items()} for name, own in found.axes.items()},
        spaces=spaces,
    )
