"""`Samples`: arrays of the user's process as a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DatasetError
from edgekit.protocols import Batch


@final
class Samples:
    """An `edgekit.protocols.Dataset` over arrays by input name, samples first."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        counts = {name: len(array) for name, array in arrays.items()}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            raise DatasetError(f"the samples of the inputs number {counts}; expected as many of each, and at least one")

    @staticmethod
    def of(arrays: Sequence[NDArray[Any]], names: Sequence[str]) -> Samples:
        """The arrays of a network's inputs in their order."""
        if len(arrays) != len(names):
            raise DatasetError(f"{len(arrays)} arrays of samples are given; the network has the inputs {list(names)}")
        floats = [np.asarray(one, np.float32) if one.dtype.kind == "f" else one for one in arrays]
        return Samples(dict(zip(names, floats, strict=True)))

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            yield Batch({name: array[start : start + size] for name, array in self._arrays.items()})
