"""Real numbers to and from a file's own integers, for callers who do not want to know that it is quantized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy import divide, rint, vdot  # by name: an attribute lookup counts in a call of microseconds
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import FeedError
from edgekit.protocols import Feeds, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Encoding:
    """One quantized input or output with its constants as arrays of shape (), which ufuncs take faster than scalars."""

    name: str
    dtype: np.dtype[Any]
    scale: FloatArray
    zero_point: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Codec:
    """The quantized inputs and outputs of one file. The formulas are those of its integer kernels:

    ``q = clip(rint(real / scale) + zero_point)`` with ties to even, ``real = scale * (q - zero_point)``, all in float32.
    """

    inputs: tuple[_Encoding, ...]
    outputs: tuple[_Encoding, ...]

    @staticmethod
    def of(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        return Codec(_encodings(inputs), _encodings(outputs))

    def encode(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """``feeds`` with the real inputs as integers. Raises FeedError for another dtype than float32 and for NaN."""
        encoded = dict(feeds)
        for entry in self.inputs:
            if (real := feeds.get(entry.name)) is not None:
                encoded[entry.name] = _quantize(real, entry)
        return encoded

    def decode(self, outputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """``outputs``, changed in place, with the integers as float32."""
        for entry in self.outputs:
            real = outputs[entry.name].astype(_FLOAT32)
            real -= entry.zero_point
            real *= entry.scale
            outputs[entry.name] = real
        return outputs


def _encodings(specs: Sequence[TensorSpec]) -> tuple[_Encoding, ...]:
    return tuple(_encoding(spec) for spec in specs if spec.quantization and np.dtype(spec.dtype).kind in "iu")


def _encoding(spec: TensorSpec) -> _Encoding:
    assert spec.quantization is not None
    dtype = np.dtype(spec.dtype)
    limits = np.iinfo(dtype)
    constants = (spec.quantization.scale, spec.quantization.zero_point, limits.min, limits.max)
    return _Encoding(spec.name, dtype, *(np.array(constant, np.float32) for constant in constants))


_FLOAT32 = np.dtype(np.float32)


def _quantize(real: NDArray[Any], entry: _Encoding) -> NDArray[Any]:
    found = getattr(real, "dtype", type(real).__name__)
    if found is not _FLOAT32 and found != _FLOAT32:
        raise FeedError(
            f"input {entry.name!r} is {found}; expected float32, which is quantized to the file's {entry.dtype}. "
            f"Convert it with .astype('float32'), or give the file's own integers with raw=True"
        )
    steps = divide(real, entry.scale)
    rint(steps, out=steps)
    steps += entry.zero_point
    steps.clip(entry.low, entry.high, out=steps)
    if isnan(vdot(steps, steps)):  # the one reduction that costs next to nothing; all else is bounded by now
        raise FeedError(f"input {entry.name!r} holds NaN, which no integer stands for")
    integers: NDArray[Any] = steps.astype(entry.dtype)
    return integers
