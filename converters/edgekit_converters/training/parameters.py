"""`Parameter`: an array of the user's network, and how it is tagged to be found again in the hub."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = Mapping[str, NDArray[Any]]
"""What the parameters hold, by name."""


class Mark(enum.Enum):
    """What stands in a parameter's place while the network is exported to find out where its parameters go."""

    TAG = "tag"
    """A number for each element."""
    OFFSET = "offset"
    """As TAG, but so large that a sum with another parameter is this one: offsets of batch normalizations."""
    MINUS_OFFSET = "minus offset"
    """The mean of a batch normalization without an offset, which becomes its negative."""
    FACTOR = "factor"
    """One, and so a batch normalization's factor changes no tag."""
    NOTHING = "nothing"
    VARIANCE = "variance"
    """Hardly less than one: the root is no exact 1, which a pass could leave out."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """``follows``: name and axis of the parameter that decides its size where its own elements are not in the hub.

    ``epsilon``: what is added to a VARIANCE. ``tied``: layers whose parameters have the same word here want equally many units.
    ``factor``: what a reader multiplies it by, as the queries of an attention.
    """

    name: str
    shape: tuple[int, ...]
    mark: Mark = Mark.TAG
    follows: tuple[str, int] | None = None
    epsilon: float = 0.0
    tied: str = ""
    factor: float = 1.0

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


def unmistakable(parameters: Iterable[Parameter], values: Values) -> dict[str, NDArray[Any]]:
    """Contents for those that hold nothing but zeros or ones, as at the beginning of a training, which exporters leave out."""
    made = {}
    for parameter in parameters:
        array = values[parameter.name]
        if parameter.mark is Mark.TAG and (not array.any() or (array == 1).all()):
            made[parameter.name] = np.where(array == 0, _TINY, _ALMOST_ONE).astype(np.float32)
    return made


_TINY, _ALMOST_ONE = 1e-30, 1 + 2.0**-22


def batch_norm_parameters(held: Mapping[Mark, tuple[str, tuple[int, ...]]], epsilon: float) -> Iterator[Parameter]:
    """Those of a batch normalization, from name and shape by mark (NOTHING: its mean). The offset decides the size of all.

    Where there is no offset the mean is one, with the other sign.
    """
    offset = Mark.OFFSET if Mark.OFFSET in held else Mark.NOTHING
    for mark, (name, shape) in held.items():
        if mark is offset:
            yield Parameter(name, shape, Mark.OFFSET if mark is Mark.OFFSET else Mark.MINUS_OFFSET)
        else:
            yield Parameter(name, shape, mark, (held[offset][0], 0), epsilon)
