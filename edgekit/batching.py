"""Any number of samples through a session whose batch is fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import FeedError, RaggedOutputError
from edgekit.protocols import Feeds, Session

Outputs = dict[str, NDArray[Any]]


def run_batch(session: Session, feeds: Feeds) -> Outputs:
    """Outputs of all samples in ``feeds``: in one run where the session takes them, else in runs of its own batch.

    Raises FeedError, and RaggedOutputError when an output has no batch axis by which the runs could be joined.
    """
    if splits(feeds, session.inputs):
        return run_in_parts(session.run, session.inputs, feeds)
    return session.run(feeds)


def splits(feeds: Feeds, inputs: Sequence[TensorSpec]) -> bool:
    """Whether ``feeds`` are samples for ``inputs`` in all but their number, so that they can be run in parts."""
    if not inputs or set(feeds) != {spec.name for spec in inputs}:
        return False
    counts, sizes = set(), set()
    for spec in inputs:
        shape = getattr(feeds[spec.name], "shape", ())
        if not shape or len(shape) != len(spec.shape):
            return False
        if any(isinstance(want, int) and have != want for have, want in zip(shape[1:], spec.shape[1:], strict=True)):
            return False
        counts.add(shape[0])
        sizes.add(spec.shape[0])
    return len(counts) == len(sizes) == 1 and counts != sizes and all(isinstance(size, int) for size in sizes)


def run_in_parts(run: Callable[[Feeds], Outputs], inputs: Sequence[TensorSpec], feeds: Feeds) -> Outputs:
    """Joined outputs of ``run`` over slices of ``feeds``, for which `splits` holds; the last slice repeats its last sample."""
    batch = inputs[0].shape[0]
    assert isinstance(batch, int)
    count = len(feeds[inputs[0].name])
    if count == 0:
        raise FeedError("the arrays hold no samples: their first axis is 0")
    joined: Outputs = {}
    for start, part in _parts(feeds, count, batch):
        for name, array in run(part).items():
            _check_batch(name, array, batch)
            if name not in joined:
                joined[name] = np.empty((count, *array.shape[1:]), array.dtype)
            kept = min(batch, count - start)
            joined[name][start : start + kept] = array[:kept]
    return joined


def _parts(feeds: Feeds, count: int, batch: int) -> Iterator[tuple[int, Feeds]]:
    for start in range(0, count, batch):
        rows = (
            slice(start, start + batch)
            if start + batch <= count
            else np.minimum(np.arange(start, start + batch), count - 1)
        )
        yield start, {name: array[rows] for name, array in feeds.items()}


def _check_batch(name: str, array: NDArray[Any], batch: int) -> None:
    if not array.ndim or array.shape[0] != batch:
        raise RaggedOutputError(
            f"output {name!r} has shape {array.shape}, whose first axis is not the file's batch of {batch}: "
            "feed that many samples at a time"
        )


def run_by_sample(session: Session, feeds: Feeds) -> Outputs:
    """Outputs of models that give a number of rows which depends on the sample (detections, say): one sample at a time, (samples,
    rows, ...) with zeros behind the rows of those that have fewer. Requires: `splits`, for a batch of 1."""
    count = len(next(iter(feeds.values())))
    found = [session.run({name: array[i : i + 1] for name, array in feeds.items()}) for i in range(count)]
    return {name: _stacked([outputs[name] for outputs in found]) for name in found[0]}


def _stacked(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    most = np.max([array.shape for array in rows], axis=0)
    room = np.zeros((len(rows), *most), rows[0].dtype)
    for place, array in zip(room, rows, strict=True):
        place[tuple(slice(size) for size in array.shape)] = array
    return room
