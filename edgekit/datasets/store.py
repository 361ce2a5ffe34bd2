"""The contract of the kinds of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from edgekit.protocols import Batch


class SampleStore(Protocol):
    """Samples as they are stored. Exists so that slicing, casting and checking are written once, in `FittedDataset`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided for the user, as sentences for the report."""

    def __len__(self) -> int: ...

    def stream(self, start: int, stop: int, size: int) -> Iterator[Batch]:
        """The samples start..stop in order, at most ``size`` at a time, arrays by the model's input names."""
