"""Samples from a function of the user's, named as ``module:function``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.datasets.names import GROUPS, LABELS, SINGLE, match_names
from edgekit.errors import DatasetError
from edgekit.protocols import Batch
from edgekit.user_function import load_function


class GeneratorStore:
    """Calls the function anew for every pass; it returns an iterable of batches.

    A batch is an array (for the only input), a dict of arrays by input name (``x`` for the only one, ``y`` the labels), or
    a tuple of either with the labels. The first axis of every array counts the samples of the batch.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, reference: str, inputs: Sequence[TensorSpec], at_most: int | None = None) -> None:
        """``at_most`` ends the counting: an endless generator is fine where only its first samples are wanted."""
        self._reference, self._inputs, self._at_most = reference, inputs, at_most
        self._function = load_function(reference, "samples")

    @cached_property
    def _count(self) -> int:
        count = 0
        for batch in self._batches():
            count += len(batch)
            if self._at_most is not None and count >= self._at_most:
                return self._at_most
        return count

    def __len__(self) -> int:
        return self._count

    def stream(self, start: int, stop: int, size: int) -> Iterator[Batch]:
        seen = 0
        for batch in self._batches():
            first, last = max(start - seen, 0), min(stop - seen, len(batch))
            for n in range(first, last, size):
                yield _slice(batch, slice(n, min(last, n + size)))
            seen += len(batch)
            if seen >= stop:
                return

    def _batches(self) -> Iterator[Batch]:
        returned = self._function()
        if not isinstance(returned, Iterable):
            raise DatasetError(
                f"{self._reference}() returned {type(returned).__name__}; expected an iterable of batches"
            )
        for entry in returned:
            batch = self._batch(entry)
            if len(batch):
                yield batch

    def _batch(self, entry: object) -> Batch:
        if isinstance(entry, Batch):
            return entry
        labels: object = None
        if isinstance(entry, tuple) and len(entry) == 2:
            entry, labels = entry
        arrays = {str(k): np.asarray(v) for k, v in entry.items()} if isinstance(entry, Mapping) else None
        if arrays is None:
            arrays = {SINGLE: np.asarray(entry)}
        stored = match_names(arrays, self._inputs, f"a batch of {self._reference}")
        if labels is None and LABELS not in stored.values():
            labels = arrays.get(LABELS)
        feeds = {name: arrays[key] for name, key in stored.items()}
        return self._counted(Batch(feeds, None if labels is None else np.asarray(labels), arrays.get(GROUPS)))

    def _counted(self, batch: Batch) -> Batch:
        extra: dict[str, NDArray[Any]] = {} if batch.labels is None else {"labels": batch.labels}
        counts = {name: array.shape[0] if array.ndim else None for name, array in {**batch.feeds, **extra}.items()}
        if len(set(counts.values())) > 1 or None in counts.values():
            raise DatasetError(f"a batch of {self._reference} has different numbers of samples: {counts}")
        return batch


def first_names(reference: str) -> tuple[str, ...]:
    """Names of the arrays in the first batch that the function gives; none where it gives no dict."""
    returned = load_function(reference, "samples")()
    for entry in returned if isinstance(returned, Iterable) else ():
        found = entry[0] if isinstance(entry, tuple) and entry else entry
        found = found.feeds if isinstance(found, Batch) else found
        return tuple(map(str, found)) if isinstance(found, Mapping) else ()
    return ()


def _slice(batch: Batch, part: slice) -> Batch:
    feeds = {name: array[part] for name, array in batch.feeds.items()}
    labels = None if batch.labels is None else batch.labels[part]
    return Batch(feeds, labels, None if batch.groups is None else batch.groups[part])
