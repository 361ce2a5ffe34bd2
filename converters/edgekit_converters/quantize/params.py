"""Affine quantization parameters: the values that plan, writers and reports share."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class QuantType(enum.Enum):
    """An integer type of quantized tensors, with its range."""

    INT8 = ("int8", -128, 127)
    UINT8 = ("uint8", 0, 255)
    INT16 = ("int16", -32768, 32767)
    INT32 = ("int32", -(2**31), 2**31 - 1)
    INT64 = ("int64", -(2**63), 2**63 - 1)

    def __init__(self, numpy_name: str, low: int, high: int) -> None:
        self.numpy_name, self.low, self.high = numpy_name, low, high

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.numpy_name)


@dataclass(frozen=True, slots=True, eq=False)
class QuantParams:
    """Affine mapping ``real = scale * (q - zero_point)``.

    ``scale`` and ``zero_point`` have shape ``()`` for per-tensor or ``(channels,)`` for per-channel along ``axis``.
    ``symmetric_range`` keeps the integers in ``-high .. high`` (weights: -127..127), as the TFLite int8 specification asks.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]
    dtype: QuantType
    axis: int | None = None
    symmetric_range: bool = False

    def __post_init__(self) -> None:
        if self.scale.shape != self.zero_point.shape:
            raise ValueError(f"scale has shape {self.scale.shape} but zero_point has {self.zero_point.shape}")
        if not (np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise ValueError("every scale must be finite and greater than 0")
        if (self.axis is None) != (self.scale.ndim == 0):
            raise ValueError(f"a per-tensor scale has shape () and no axis; got {self.scale.shape}, axis {self.axis}")
        if ((self.zero_point < self.dtype.low) | (self.zero_point > self.dtype.high)).any():
            raise ValueError(f"zero_point must lie in {self.dtype.low}..{self.dtype.high}")

    @property
    def low(self) -> int:
        return -self.dtype.high if self.symmetric_range else self.dtype.low

    def quantize(self, real: NDArray[np.floating]) -> NDArray[Any]:
        """Integers nearest to ``real`` (ties to even), clipped to the range; same shape."""
        scale, zero_point = self._broadcast(real.ndim)
        # float64: an int32 bias reaches 2**31, and real / scale must not lose the last bit before rounding.
        wide = np.float64 if self.dtype in (QuantType.INT32, QuantType.INT64) else np.float32
        steps = np.rint(real.astype(wide) / scale.astype(wide)) + zero_point
        clipped: NDArray[Any] = np.clip(steps, self.low, self.dtype.high).astype(self.dtype.dtype)
        return clipped

    def dequantize(self, integers: NDArray[Any]) -> NDArray[np.float32]:
        """The real values that ``integers`` stand for; same shape."""
        scale, zero_point = self._broadcast(integers.ndim)
        return (integers.astype(np.int32) - zero_point).astype(np.float32) * scale

    def real_range(self) -> tuple[float, float]:
        """Smallest and largest real value a per-tensor encoding can hold."""
        scale, zero_point = float(self.scale), int(self.zero_point)
        return scale * (self.low - zero_point), scale * (self.dtype.high - zero_point)

    def stored_as(self, dtype: QuantType) -> QuantParams:
        """The same encoding in the other 8-bit type: zero point and integers shifted by 128 between int8 and uint8."""
        shift = np.int32(dtype.low - self.dtype.low)
        return QuantParams(self.scale, self.zero_point + shift, dtype, self.axis)

    def same_as(self, other: QuantParams) -> bool:
        return (
            self.dtype is other.dtype
            and self.axis == other.axis
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )

    def _broadcast(self, rank: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        if self.axis is None:
            return self.scale, self.zero_point
        shape = [1] * rank
        shape[self.axis] = -1
        return self.scale.reshape(shape), self.zero_point.reshape(shape)


def per_tensor(scale: float, zero_point: int, dtype: QuantType = QuantType.INT8) -> QuantParams:
    """Parameters of a whole tensor."""
    return QuantParams(np.array(scale, np.float32), np.array(zero_point, np.int32), dtype)
