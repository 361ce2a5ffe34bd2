"""Which spaces of a hub the user's own network can lose units of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit_converters.prune.dependencies import Dependencies, Space

_SEVERAL = 2

Trial = Callable[[NDArray[np.bool_]], None]
"""Makes the network without some units and raises ConversionError where that fails or answers otherwise than it should."""


def followable(found: Dependencies, trial: Trial) -> tuple[Dependencies, dict[str, str]]:
    """The dependencies with the spaces that can lose units, and the others by name with the reason.

    Units of each are removed on trial: of all at once, and where that fails, of one space after the other. At once, neighbours
    lose different numbers: layers of a framework that want the same number from each of their parts would go unnoticed else.
    """
    several = [space for space in found.spaces if len(space.units) > 1]
    if not _reason(found, several, trial):
        return dataclasses.replace(found, spaces=tuple(several)), {}
    reasons = {space.name: _reason(found, [space], trial) for space in several}
    spaces = tuple(space for space in several if not reasons[space.name])
    return dataclasses.replace(found, spaces=spaces), {name: reason for name, reason in reasons.items() if reason}


def followable_as(found: Dependencies, stays: NDArray[np.bool_], trial: Trial) -> tuple[Dependencies, dict[str, str]]:
    """As `followable`, of the units that don't stay. Raises ConversionError where it is the spaces together that fail."""
    try:
        trial(stays)
        return found, {}
    except ConversionError as error:
        reasons = {space.name: _tried(found.without(space.units[~stays[space.units]]), trial) for space in found.spaces}
        if not any(reasons.values()):
            raise error
    spaces = tuple(space for space in found.spaces if not reasons[space.name])
    return dataclasses.replace(found, spaces=spaces), {name: reason for name, reason in reasons.items() if reason}


def _reason(found: Dependencies, spaces: Sequence[Space], trial: Trial) -> str:
    """Why these spaces can't lose their last one or two units; empty when they can."""
    counts = [1 + place % 2 if len(space.units) > _SEVERAL else 1 for place, space in enumerate(spaces)]
    gone = [int(unit) for space, count in zip(spaces, counts, strict=True) for unit in space.units[-count:]]
    return _tried(found.without(gone), trial)


def _tried(stays: NDArray[np.bool_], trial: Trial) -> str:
    try:
        trial(stays)
    except ConversionError as error:
        return str(error)
    return ""
