"""Which spaces of a hub the user's own network can lose units of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit_converters.prune.dependencies import Dependencies, Space

Trial = Callable[[NDArray[np.bool_]], None]
"""Makes the network without some units and raises ConversionError where that fails or answers otherwise than it should."""


def followable(found: Dependencies, trial: Trial) -> tuple[Dependencies, dict[str, str]]:
    """The dependencies with the spaces that can lose units, and the others by name with the reason.

    A unit of each is removed on trial: of all at once, and where that fails, of one space after the other.
    """
    several = [space for space in found.spaces if len(space.units) > 1]
    if not (_reason(found, several, trial)):
        return dataclasses.replace(found, spaces=tuple(several)), {}
    reasons = {space.name: _reason(found, [space], trial) for space in several}
    spaces = tuple(space for space in several if not reasons[space.name])
    return dataclasses.replace(found, spaces=spaces), {name: reason for name, reason in reasons.items() if reason}


def _reason(found: Dependencies, spaces: Sequence[Space], trial: Trial) -> str:
    """Why these spaces can't lose their last unit each; empty when they can."""
    if not spaces:
        return ""
    try:
        trial(found.without([int(space.units[-1]) for space in spaces]))
    except ConversionError as error:
        return str(error)
    return ""
