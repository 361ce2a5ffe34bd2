"""Samples that are consecutive chunks of streams: one at a time, the first of each stream marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import final

from edgekit.artifact import State
from edgekit.datasets.fitted import FittedDataset
from edgekit.protocols import Batch, Session
from edgekit.streaming import Stream

READ_AT_ONCE = 64


def chunks_of(samples: FittedDataset, states: Sequence[State]) -> Chunks | None:
    """The samples as chunks of streams; None where they hold the states' values themselves, or the model has no states."""
    held = {spec.name for spec in samples.inputs}
    return Chunks(samples) if states and not any(state.input in held for state in states) else None


@final
class Chunks:
    """A `edgekit.protocols.Dataset` of single chunks. A stream goes on as long as the group stays the same; without groups, all
    are one stream."""

    def __init__(self, samples: FittedDataset) -> None:
        self._samples = samples

    @property
    def notes(self) -> tuple[str, ...]:
        return (
            *self._samples.notes,
            "the samples are fed as consecutive chunks: states are carried from each to the next",
        )

    @property
    def where(self) -> str:
        return self._samples.where

    def __len__(self) -> int:
        return len(self._samples)

    def batches(self, size: int) -> Iterator[Batch]:
        """Batches of one chunk, whatever the ``size``."""
        before: object = None
        for number, chunk in enumerate(_singles(self._samples)):
            group = None if chunk.groups is None else chunk.groups.reshape(-1)[0]
            yield replace(chunk, starts=number == 0 or group != before)
            before = group


@final
class StreamedSamples:
    """A `edgekit.protocols.Dataset` of whole samples, whose states are those that ``session`` has come to when a chunk arrives.

    Every pass runs the model again: no state is stored.
    """

    def __init__(self, chunks: Chunks, session: Session, states: Sequence[State]) -> None:
        self._chunks, self._session, self._states = chunks, session, tuple(states)

    @property
    def notes(self) -> tuple[str, ...]:
        return self._chunks.notes

    @property
    def where(self) -> str:
        return self._chunks.where

    def __len__(self) -> int:
        return len(self._chunks)

    def batches(self, size: int) -> Iterator[Batch]:
        """Batches of one sample, whatever the ``size``."""
        stream = Stream(self._session.run, self._session.inputs, self._session.outputs, self._states)
        for chunk in self._chunks.batches(size):
            if chunk.starts:
                stream.reset()
            states = stream.next_values(chunk.feeds)
            stream.run(chunk.feeds)
            yield replace(chunk, feeds={**chunk.feeds, **states}, whole=True)


def _singles(samples: FittedDataset) -> Iterator[Batch]:
    for batch in samples.batches(READ_AT_ONCE):
        if batch.whole:
            yield batch
            continue
        for row in range(len(batch)):
            part = slice(row, row + 1)
            yield Batch(
                {name: array[part] for name, array in batch.feeds.items()},
                None if batch.labels is None else batch.labels[part],
                None if batch.groups is None else batch.groups[part],
            )
