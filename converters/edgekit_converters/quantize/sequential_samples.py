"""Which samples the sequential pass takes, so that memory and time stay bounded however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Batch, Dataset
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.calibrate_feeds import fixed_batch, numbers_per_sample
from edgekit_converters.quantize.sequential_group import Group

MEMORY_BYTES = 400 << 20
"""What the values between groups may take at once."""

WORK_NUMBERS = 1_500_000_000
"""Numbers computed over all groups and samples, as a bound of the time: 200 pictures of EfficientNet-Lite0."""

BYTES_PER_NUMBER = 3
"""float16 in the float prefix and int8 in the quantized one."""

NUMBERS_PER_RUN = 1 << 22
"""Inputs and outputs of the largest group in one run: 16 MB in float32, so that the working memory stays small."""


class Picked:
    """A Dataset of the samples of another one with the numbers ``rows``, in ascending order."""

    def __init__(self, samples: Dataset, rows: NDArray[np.int64]) -> None:
        self._samples = samples
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, size: int) -> Iterator[Batch]:
        waiting: list[_Row] = []
        start = 0
        for batch in self._samples.batches(size):
            stop = start + len(batch)
            rows = self._rows[(self._rows >= start) & (self._rows < stop)] - start
            if batch.whole:
                yield from (batch for _ in rows)
                start = stop
                continue
            waiting += [_row(batch, row) for row in rows]
            start = stop
            while len(waiting) >= size:
                yield _stacked(waiting[:size])
                del waiting[:size]
        if waiting:
            yield _stacked(waiting)


def picked(
    samples: Dataset, groups: Sequence[Group], memory: int = MEMORY_BYTES, bytes_per_number: int = BYTES_PER_NUMBER
) -> Dataset:
    """As many of the samples as ``memory`` and `WORK_NUMBERS` allow."""
    total = sum(numbers_per_sample(value) for group in groups for value in group.outputs)
    by_memory = memory // max(1, bytes_per_number * most_alive(groups))
    count = max(1, min(len(samples), by_memory, WORK_NUMBERS // max(1, total)))
    return samples if count == len(samples) else Picked(samples, spread(len(samples), count))


def spread(total: int, count: int) -> NDArray[np.int64]:
    """Numbers of ``count`` samples spread evenly over ``total`` (which may be sorted by class)."""
    return np.arange(count) * total // count


def run_size(hub: Hub, groups: Sequence[Group]) -> int:
    """Samples that one run computes: the hub's fixed batch, or what `NUMBERS_PER_RUN` allows."""
    fixed = fixed_batch(hub)
    largest = max((sum(map(numbers_per_sample, (*group.inputs, *group.outputs))) for group in groups), default=1)
    return fixed or max(1, min(LARGEST_RUN, NUMBERS_PER_RUN // max(1, largest)))


LARGEST_RUN = 256


def last_readers(groups: Sequence[Group]) -> dict[ir.Value, int]:
    """Position of the last group that reads a value."""
    return {value: position for position, group in enumerate(groups) for value in group.inputs}


def most_alive(groups: Sequence[Group]) -> int:
    """Numbers per sample that are stored when most of them are: those that a later group still reads."""
    last = last_readers(groups)
    alive = sum(numbers_per_sample(value) for value in last if value.is_graph_input())
    most = alive
    for position, group in enumerate(groups):
        alive += sum(numbers_per_sample(value) for value in group.outputs)
        most = max(most, alive)
        gone = {value for value in (*group.inputs, *group.outputs) if last.get(value, -1) <= position}
        alive -= sum(map(numbers_per_sample, gone))
    return most


_Row = tuple[Mapping[str, NDArray[Any]], NDArray[Any] | None, NDArray[Any] | None]
"""A sample, its label and its group."""


def _row(batch: Batch, row: int) -> _Row:
    labels, groups = (None if array is None else array[row] for array in (batch.labels, batch.groups))
    return {name: array[row] for name, array in batch.feeds.items()}, labels, groups


def _stacked(rows: Sequence[_Row]) -> Batch:
    feeds, labels, groups = zip(*rows, strict=True)
    return Batch(
        {name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]}, _together(labels), _together(groups)
    )


def _together(each: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    present = [one for one in each if one is not None]
    return np.stack(present) if present else None
