"""The shift a channel needs so that its mean behind a clamp is the wanted one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

POSITIONS = 8192
"""Positions of a channel, over all samples, that the mean is taken of."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A clamp."""

    low: float
    high: float


def zero_mean_shift(raw: NDArray[np.float32], wanted: NDArray[np.float32], bounds: Bounds) -> NDArray[np.float64]:
    """The shift (channels,) for which ``clamp(raw + shift)`` has the mean of ``clamp(wanted)``; both (channels, positions).

    The mean grows with the shift, piecewise linearly: Newton's method settles in a few steps. What saturates in both is no
    error, and a channel that is saturated throughout keeps its bias.
    """
    shift = np.zeros(len(raw))
    for start in range(0, len(raw), _CHANNELS_AT_ONCE):
        some = slice(start, start + _CHANNELS_AT_ONCE)
        shift[some] = _newton(raw[some], wanted[some], bounds)
    return shift


def _newton(raw: NDArray[np.float32], wanted: NDArray[np.float32], bounds: Bounds) -> NDArray[np.float64]:
    target = np.clip(wanted, bounds.low, bounds.high).mean(axis=1, dtype=np.float64)
    shift = np.zeros(len(raw))
    for _ in range(_NEWTON_STEPS):
        moved = raw + shift.astype(np.float32)[:, None]
        inside = ((moved > bounds.low) & (moved < bounds.high)).mean(axis=1)
        np.clip(moved, bounds.low, bounds.high, out=moved)
        error = target - moved.mean(axis=1, dtype=np.float64)
        shift += error / np.maximum(inside, _SMALLEST_SLOPE)
    return shift


_CHANNELS_AT_ONCE = 32
"""Keeps what the search works on in the cache."""

_NEWTON_STEPS = 4
_SMALLEST_SLOPE = 0.05
"""Keeps a channel that hardly ever leaves the clamp from jumping."""


def step_over(chunks: Sequence[NDArray[Any]]) -> int:
    """Of how many positions one is taken, to have `POSITIONS` of them in all."""
    positions: int = sum(chunk.size // max(1, chunk.shape[1]) for chunk in chunks)
    return max(1, positions // POSITIONS)


def columns(array: NDArray[Any], step: int, offset: int) -> NDArray[np.float32]:
    """One in ``step`` of the positions of ``array`` (samples, channels, ...), evenly spread: (channels, positions).

    Positions of a sample come first, then samples: of samples with fewer than ``step`` positions only some contribute.
    ``offset``, the number of the batch, varies which.
    """
    samples, channels = array.shape[:2]
    flat = array.reshape(samples, channels, -1)
    length = flat.shape[2]
    along = min(step, length)
    while math.gcd(along, length) > 1 and along < length:
        along -= 1
    across = max(1, step // along)
    taken = flat[offset % across :: across, :, offset % along :: along]
    return taken.transpose(1, 0, 2).reshape(channels, -1).astype(np.float32)
