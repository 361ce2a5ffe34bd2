"""Samples for models whose user gave none: enough to see that two files answer alike, and no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from edgekit.artifact import TensorSpec
from edgekit.example_feeds import example_feeds
from edgekit.protocols import Batch


class RandomSamples:
    """A `Dataset` of single samples drawn anew, the same at every pass. ``shapes``: those that the user gave, by input; the
    key "" stands for the only one."""

    def __init__(self, inputs: Sequence[TensorSpec], shapes: Mapping[str, tuple[int, ...]], count: int = 16) -> None:
        self._inputs = tuple(_bound(spec, shapes, only=len(inputs) == 1) for spec in inputs)
        self._count = count

    def __len__(self) -> int:
        return self._count

    def batches(self, size: int) -> Iterator[Batch]:
        """Batches of one sample: a model may have any fixed batch."""
        for seed in range(self._count):
            feeds = example_feeds(self._inputs, seed)
            yield Batch(feeds, whole=len({array.shape[:1] for array in feeds.values()}) > 1)


def _bound(spec: TensorSpec, shapes: Mapping[str, tuple[int, ...]], only: bool) -> TensorSpec:
    wanted = shapes.get(spec.name, shapes.get("") if only else None)
    if wanted is None or len(wanted) != len(spec.shape):
        return spec
    return dataclasses.replace(
        spec, shape=tuple(own if size < 0 else size for own, size in zip(spec.shape, wanted, strict=True))
    )
