"""`Samples`: a Dataset of arrays that a test has at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from edgekit.protocols import Batch


class Samples:
    """Arrays by input name."""

    def __init__(self, **arrays: NDArray[Any]) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            yield Batch({name: array[start : start + size] for name, array in self._arrays.items()})
