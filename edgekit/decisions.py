"""`Decisions`: how often two models decide alike, of outputs whose largest number is a decision.

Classifiers and taggers decide for the place of the largest number of the last axis. Nothing is decided by it where the reference
gives one number a position; a sample as large as its input, a reconstruction; rows of length 1, embeddings; or a picture of up to
four channels. Rows that are shares of 1 decide whatever their shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LENGTH_TOLERANCE, SUM_TOLERANCE = 0.02, 0.1
"""Of rows of length 1 and of sums of 1, in 8 bits too."""

PICTURE_AXES, PICTURE_CHANNELS = 4, 4

Shape = tuple[int, ...]


@dataclass(slots=True)
class Decisions:
    """Of one output, added up batch by batch."""

    count: int = 0
    equal: int = 0
    unit_rows: int = 0
    share_rows: int = 0

    def add(self, reference: NDArray[Any], found: NDArray[Any], inputs: Iterable[Shape] = ()) -> None:
        """A batch, samples first. ``inputs``: the shapes of a sample of the inputs of real numbers."""
        if reference.ndim < 2 or reference.shape[-1] < 2:
            return
        rows = reference.reshape(-1, reference.shape[-1]).astype(np.float64)
        shares = (rows.min(axis=1) >= 0) & (np.abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE)
        if not shares.all() and (reference.shape[1:] in set(inputs) or _is_picture(reference.shape)):
            return
        same = reference.argmax(axis=-1) == found.argmax(axis=-1)
        self.count += same.size
        self.equal += int(same.sum())
        self.share_rows += int(shares.sum())
        self.unit_rows += int((np.abs(np.linalg.norm(rows, axis=1) - 1) <= LENGTH_TOLERANCE).sum())

    @property
    def decided(self) -> bool:
        """Whether the numbers seen so far are decisions."""
        return self.count > 0 and (self.unit_rows < self.count or self.share_rows == self.count)


def share_of_equal(outputs: Iterable[Decisions]) -> float | None:
    """The share of equal decisions over all outputs; None where none decides."""
    deciding = [output for output in outputs if output.decided]
    return sum(output.equal for output in deciding) / sum(output.count for output in deciding) if deciding else None


def sample_shapes(feeds: Mapping[str, NDArray[Any]]) -> set[Shape]:
    """The shapes of a sample of inputs of real numbers; indices and masks are none."""
    return {array.shape[1:] for array in feeds.values() if array.dtype.kind == "f"}


def _is_picture(shape: Shape) -> bool:
    return len(shape) >= PICTURE_AXES and min(shape[1], shape[-1]) <= PICTURE_CHANNELS
