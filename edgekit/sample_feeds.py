"""The first of a user's samples as what a file is timed with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from edgekit.artifact import Artifact, TensorSpec
from edgekit.benchmark import Contender
from edgekit.datasets import chunks_of, open_dataset, tokenizer_of
from edgekit.encoding import Codec
from edgekit.inference import Model
from edgekit.place import Place


def with_sample(contender: Contender, samples: str, place: Place) -> Contender:
    """The contender with the first of ``samples`` as its feeds, encoded as the file wants it; states begin a stream."""
    session = place.open_file(contender.path, contender.runtime, contender.options)
    with Model(Artifact.open(contender.path), session, contender.runtime) as model:
        states = model.states
        dataset = open_dataset(
            samples,
            model.inputs,
            preprocess=model.preprocessing,
            labels="none",
            states=states,
            tokenizer=tokenizer_of(contender.path),
        )
        feeds = next((chunks_of(dataset, states) or dataset).batches(_batch(model.inputs))).feeds
        if len(feeds) < len(model.inputs):
            feeds = {**feeds, **model.stream().next_values(feeds)}
        encoded: dict[str, NDArray[Any]] = Codec.of(model.inputs, ()).encode(feeds)
    return dataclasses.replace(contender, feeds=encoded)


def _batch(inputs: Sequence[TensorSpec]) -> int:
    """Samples of one run: the file's fixed batch, or 1."""
    first = inputs[0].shape[0] if inputs[0].shape else 1
    return first if isinstance(first, int) else 1
