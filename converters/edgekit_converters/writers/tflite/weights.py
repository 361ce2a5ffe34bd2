"""`Weights`: a constant as the plan wants it, carried through transpositions together with its channel axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.params import QuantParams
from edgekit_converters.writers.tflite.flat_model import Shape
from edgekit_converters.writers.tflite.layout import Permutation


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """``array`` holds float32, or integers with their ``params``; every operation keeps both in step."""

    array: NDArray[Any]
    params: QuantParams | None
    name: str

    @property
    def shape(self) -> Shape:
        return self.array.shape

    @property
    def is_integer(self) -> bool:
        return self.params is not None

    def transpose(self, permutation: Permutation) -> Weights:
        return Weights(self.array.transpose(permutation), self._with_axis(permutation), self.name)

    def reshape(self, shape: Shape, axis: int | None = None) -> Weights:
        """``axis`` is where the channels are afterwards; ignored for float and per-tensor constants."""
        params = self.params
        if params is not None and params.axis is not None:
            assert axis is not None, f"{self.name} is per-channel: say where its channels are after the reshape"
            params = replace(params, axis=axis)
        return Weights(self.array.reshape(shape), params, self.name)

    def take(self, order: NDArray[np.intp], axis: int) -> Weights:
        """Reordered along an axis that is not the channels' own."""
        assert self.params is None or self.params.axis != axis
        return Weights(self.array.take(order, axis), self.params, self.name)

    def rows(self, start: int, stop: int) -> Weights:
        """Part of the first axis, which is the channels' own where there are any."""
        params = self.params
        if params is not None and params.axis is not None:
            assert params.axis == 0, f"{self.name} has its channels on axis {params.axis}"
            params = replace(params, scale=params.scale[start:stop], zero_point=params.zero_point[start:stop])
        return Weights(self.array[start:stop], params, self.name)

    def with_array(self, array: NDArray[Any]) -> Weights:
        """Other numbers of the same encoding (padded with zeros, say)."""
        return Weights(array, self.params, self.name)

    def _with_axis(self, permutation: Permutation) -> QuantParams | None:
        if self.params is None or self.params.axis is None:
            return self.params
        return replace(self.params, axis=permutation.index(self.params.axis))
