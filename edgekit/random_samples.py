"""Samples for models whose user gave none: enough to see that two files answer alike, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.artifact import TensorSpec
from edgekit.example_feeds import example_feeds
from edgekit.protocols import Batch


class RandomSamples:
    """A `Dataset` of single samples drawn anew, the same at every pass."""

    def __init__(self, inputs: Sequence[TensorSpec], count: int = 16) -> None:
        self._inputs, self._count = tuple(inputs), count

    def __len__(self) -> int:
        return self._count

    def batches(self, size: int) -> Iterator[Batch]:
        """Batches of one sample: a model may have any fixed batch."""
        for seed in range(self._count):
            yield Batch(example_feeds(self._inputs, seed))
