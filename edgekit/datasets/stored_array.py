"""`StoredArray`: an array that stays on the disk and is read part by part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DatasetError


@dataclass(frozen=True, slots=True)
class StoredArray:
    """``offset`` is where the values begin in the file; ``order`` "C" or "F".

    Parts are copies. The file is mapped for the time of a copy only: a mapping that stays would count as memory of the process,
    sample by sample, until the whole file is in it.
    """

    path: Path
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    order: str

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> NDArray[Any]:
        """Raises DatasetError when the file can't be read any more."""
        try:
            mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape, "F" if self.order == "F" else "C")
        except (OSError, ValueError) as error:
            raise DatasetError(f"cannot read {self.path} any more: {error}. Was it changed meanwhile?") from error
        return np.array(mapped[part], order="C")
