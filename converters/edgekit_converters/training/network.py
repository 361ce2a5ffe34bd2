"""`Network`: what pruning channels needs of the user's network, whatever its framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.training.parameters import Values
from edgekit_converters.training.provenance import Kept, Provenance

Masks = Mapping[str, NDArray[np.bool_]]


class Network(Protocol):
    """A network in the user's process. ``hub`` and ``provenance`` are of the moment when it was read."""

    @property
    def hub(self) -> Hub: ...

    @property
    def provenance(self) -> Provenance: ...

    def values(self) -> Values:
        """What its parameters hold now."""

    def silence(self, masks: Masks) -> None:
        """Put its trainable parameters to zero where the masks are false, in place."""

    def cut(self, values: Values, kept: Mapping[str, Kept]) -> Any:
        """A smaller copy with other contents. Raises ConversionError when the sizes don't fit together."""

    def answers(self, model: Any, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs of such a copy in evaluation. Raises ConversionError when it fails."""

    def settle(self, model: Any, samples: Sequence[NDArray[Any]]) -> None:
        """Make the statistics of its batch normalizations those of the samples, and its factors and offsets such that its answers
        stay: then training, which uses the statistics of each batch, goes on from the same function."""


def masks_of(kept: Mapping[str, Kept], provenance: Provenance) -> dict[str, NDArray[np.bool_]]:
    """True at the elements that are kept, for each parameter of which not all are."""
    found = {}
    for parameter in provenance.parameters:
        mask = np.zeros(parameter.shape, bool)
        mask[np.ix_(*kept[parameter.name])] = True
        if not mask.all():
            found[parameter.name] = mask
    return found
