"""Samples from files, folders and generators as one kind of stream: `open_dataset`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from edgekit.artifact import State, TensorSpec
from edgekit.datasets.checks import require_varied, too_few
from edgekit.datasets.chunks import Chunks, StreamedSamples, chunks_of
from edgekit.datasets.fitted import FittedDataset, float_side
from edgekit.datasets.location import Kind, Location, parse_location
from edgekit.datasets.store import SampleStore
from edgekit.datasets.texts import TextStore, holds_texts
from edgekit.datasets.tokenizer import tokenizer_of
from edgekit.recipe import Preprocess

__all__ = [
    "Chunks",
    "FittedDataset",
    "StreamedSamples",
    "chunks_of",
    "open_dataset",
    "require_varied",
    "tokenizer_of",
    "too_few",
]


def open_dataset(
    location: str,
    inputs: Sequence[TensorSpec],
    *,
    preprocess: Preprocess | None = None,
    labels: str | None = None,
    limit: int | None = None,
    offset: int = 0,
    states: Sequence[State] = (),
    tokenizer: Path | None = None,
) -> FittedDataset:
    """The samples at ``location`` as batches that fit the model's ``inputs``; docs/samples.md lists the kinds.

    ``location`` may end with a slice, as in ``samples.npz[0:200]``; ``offset`` and ``limit`` count within it.
    ``labels``: "column:NAME" (CSV), "array:NAME" (.npz), "prefix" or "folder" (files), "file:PATH", "none", or None for
    the kind's own place. An input that has a quantization takes real values: its samples are float.
    ``states``: what the model carries from call to call; samples without arrays for these inputs are consecutive chunks
    (`chunks_of`). ``tokenizer``: a tokenizer.json, for texts.

    Raises DatasetError, before anything is run, when the samples are missing, damaged, empty, or do not fit.
    """
    place = parse_location(location)
    expected = _without_states(place, tuple(float_side(spec) for spec in inputs), {state.input for state in states})
    store = _open_store(place, expected, preprocess, labels, tokenizer, place.last_wanted(offset, limit))
    start, stop = place.window(store, offset, limit)
    dataset = FittedDataset(store, expected, start, stop, place.text)
    dataset.probe()
    return dataset


def _without_states(place: Location, inputs: tuple[TensorSpec, ...], states: set[str]) -> tuple[TensorSpec, ...]:
    """All inputs where the samples hold the value of any state, else all but the states."""
    if not states:
        return inputs
    held: Collection[str] = ()
    if place.kind is Kind.ARRAYS:
        from edgekit.datasets.arrays import array_names

        held = array_names(place.path)
    elif place.kind is Kind.GENERATOR:
        from edgekit.datasets.generator import first_names

        held = first_names(place.base)
    return inputs if states & set(held) else tuple(spec for spec in inputs if spec.name not in states)


def _open_store(
    place: Location,
    inputs: tuple[TensorSpec, ...],
    preprocess: Preprocess | None,
    labels: str | None,
    tokenizer: Path | None,
    at_most: int | None,
) -> SampleStore:
    if place.kind is Kind.GENERATOR:
        from edgekit.datasets.generator import GeneratorStore

        return GeneratorStore(place.base, inputs, at_most)
    if place.kind is Kind.TEXTS or (place.kind is Kind.CSV and holds_texts(place.path, inputs, tokenizer)):
        return TextStore(place.path, inputs, labels, tokenizer)
    if place.kind is Kind.CSV:
        from edgekit.datasets.csv_file import CsvStore

        return CsvStore(place.path, inputs, labels)
    if place.kind is Kind.PICTURES:
        from edgekit.datasets.pictures import PictureStore

        return PictureStore(place.path, inputs, preprocess, labels)
    if place.kind is Kind.SOUNDS:
        from edgekit.datasets.sounds import SoundStore

        return SoundStore(place.path, inputs, preprocess, labels)
    from edgekit.datasets.arrays import ArrayStore

    return ArrayStore(place.path, inputs, labels)
