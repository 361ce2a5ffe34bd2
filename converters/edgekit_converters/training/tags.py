"""`Tags`: floats that tell which element of which parameter a constant of the hub came from.

An exporter, a reader and the passes transpose, slice, join and reorder parameters (the gates of a recurrent layer, say) in ways
that names don't tell. So the network is exported once more with a number of its own in every element; where a number comes out,
there the element went. A number is a float32 whose last bits are free, so that a factor of almost 1 does not change it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit_converters.training.parameters import Mark, Parameter

Ids = NDArray[np.int64]

NONE = -1
"""No element of any parameter."""

_FREE_BITS = 4
_TOLERANCE = 6
"""Units in the last place that a number may be off; half of what the free bits hold is 8."""
_FIRST_BINADE, _FIRST_OFFSET_BINADE, _END_BINADE = 67, 157, 187
"""Biased exponents: 2^-60, 2^30, 2^60. From the largest tag, below 2^4, to the least offset are 26 bits: a sum is the offset."""
_LARGEST = (131 - _FIRST_BINADE) << (23 - _FREE_BITS)
_LARGEST_OFFSET = (_END_BINADE - _FIRST_OFFSET_BINADE) << (23 - _FREE_BITS)
_OFFSETS_FROM = (_FIRST_OFFSET_BINADE - _FIRST_BINADE) << (23 - _FREE_BITS)


@dataclass(frozen=True, slots=True)
class Tags:
    """``starts``: the number of the first element of each parameter that has numbers."""

    parameters: tuple[Parameter, ...]
    starts: Mapping[str, int]

    @staticmethod
    def of(parameters: Sequence[Parameter]) -> Tags:
        """Raises ConversionError when there are more elements than numbers."""
        starts: dict[str, int] = {}
        plain, offset = 0, _OFFSETS_FROM
        for parameter in parameters:
            if parameter.mark is Mark.TAG:
                starts[parameter.name] = plain
                plain += parameter.size
            elif parameter.mark in (Mark.OFFSET, Mark.MINUS_OFFSET):
                starts[parameter.name] = offset
                offset += parameter.size
        if plain > _LARGEST or offset - _OFFSETS_FROM > _LARGEST_OFFSET:
            raise ConversionError(
                f"the network has {plain:,} weights; up to {_LARGEST:,} can be followed back into a network of its framework. "
                "Prune its file instead: edgekit convert --prune"
            )
        return Tags(tuple(parameters), starts)

    def values(self, parameter: Parameter) -> NDArray[np.float32]:
        """What stands in the place of a parameter while the network is exported."""
        if parameter.name in self.starts:
            first = self.starts[parameter.name]
            numbers = np.arange(first, first + parameter.size, dtype=np.int64)
            bits = (numbers << _FREE_BITS) + (_FIRST_BINADE << 23)
            tags = bits.astype(np.int32).view(np.float32).reshape(parameter.shape)
            tags = tags / np.float32(parameter.factor)
            return -tags if parameter.mark is Mark.MINUS_OFFSET else tags
        filling = {Mark.FACTOR: 1.0, Mark.NOTHING: 0.0, Mark.VARIANCE: (1 + 2.0**-22) ** -2 - parameter.epsilon}
        return np.full(parameter.shape, filling[parameter.mark], np.float32)

    def ids(self, array: NDArray[np.float32]) -> Ids:
        """The numbers that the elements of a constant hold; NONE where there is none."""
        bits = np.ascontiguousarray(array).view(np.int32).astype(np.int64).reshape(array.shape)
        moved = bits - (_FIRST_BINADE << 23) + (1 << (_FREE_BITS - 1))
        off = (moved & ((1 << _FREE_BITS) - 1)) - (1 << (_FREE_BITS - 1))
        numbers = moved >> _FREE_BITS
        known = np.zeros(numbers.shape, bool)
        for first in (0, _OFFSETS_FROM):
            known |= (numbers >= first) & (numbers < self._end(first))
        return np.where(known & (np.abs(off) <= _TOLERANCE), numbers, NONE)

    def _end(self, first: int) -> int:
        """Behind the numbers that follow one another from ``first``."""
        ranges = [self.range_of(one) for one in self.parameters if one.name in self.starts]
        return max(
            (one.stop for one in ranges if (one.start >= _OFFSETS_FROM) == (first >= _OFFSETS_FROM)), default=first
        )

    def range_of(self, parameter: Parameter) -> range:
        first = self.starts[parameter.name]
        return range(first, first + parameter.size)
