"""From samples to feeds that the hub takes: checked, in its element types, in batches of the size it wants."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import DatasetError
from edgekit.protocols import Batch, Dataset, Feeds
from edgekit_converters.hub import Hub

LARGEST_BATCH = 256

MASK = "attention_mask"
"""The input that tells real tokens (1) from padding (0), by the name that all text networks give it."""


def feeds_of(hub: Hub, samples: Dataset, size: int) -> Iterator[tuple[dict[str, NDArray[Any]], int]]:
    """(feeds, number of samples in them). Where the hub's batch is fixed, the last sample fills up the last batch.

    Raises DatasetError when an array is missing or has a shape that the hub does not take.
    """
    for batch in samples.batches(size):
        yield _feeds(hub, batch, size), len(batch)


def full_feeds(hub: Hub, samples: Dataset, size: int) -> Iterator[tuple[dict[str, NDArray[Any]], int]]:
    """As `feeds_of`, without a last batch that was filled up, unless there is no other: copies of one sample would count too
    much where every row counts alike."""
    for number, batch in enumerate(samples.batches(size)):
        if number and _fills(hub, batch, size):
            return
        yield _feeds(hub, batch, size), len(batch)


def real_tokens(array: NDArray[Any], feeds: Feeds) -> NDArray[Any]:
    """Of a value with a row a token, the rows that the attention mask keeps; any other value as it is.

    What a network makes of padding is never read, and may be far from all else.
    """
    mask = feeds.get(MASK)
    if mask is None or mask.ndim != 2 or array.ndim < 3 or array.shape[:2] != mask.shape or not mask.any():
        return array
    return np.asarray(array[mask != 0])


def fixed_batch(hub: Hub) -> int | None:
    """The batch size the hub insists on; None when any will do."""
    shapes = [spec.shape for spec in hub.inputs if spec.shape]
    first = shapes[0][0] if shapes else None
    return first if isinstance(first, int) else None


def batch_size(hub: Hub, values: Iterable[ir.Value], budget: int) -> int:
    """The hub's fixed batch, or the samples whose ``values`` together hold at most ``budget`` numbers."""
    fixed = fixed_batch(hub)
    if fixed is not None:
        return fixed
    return max(1, min(LARGEST_BATCH, budget // max(1, sum(map(numbers_per_sample, values)))))


def numbers_per_sample(value: ir.Value) -> int:
    """Elements of a value for one sample; an axis of unknown length counts once."""
    return math.prod(dim for dim in value.shape or () if isinstance(dim, int))


def _fills(hub: Hub, batch: Batch, size: int) -> bool:
    """Whether the batch has fewer samples than the hub insists on."""
    return fixed_batch(hub) is not None and not batch.whole and len(batch) < size


def _feeds(hub: Hub, batch: Batch, size: int) -> dict[str, NDArray[Any]]:
    feeds, fill = {}, _fills(hub, batch, size)
    for spec in hub.inputs:
        if spec.name not in batch.feeds:
            raise DatasetError(
                f"the samples have no array for the model input {spec.name!r}; they have: {', '.join(batch.feeds)}"
            )
        array = np.asarray(batch.feeds[spec.name], dtype=spec.dtype, order="C")
        _check_shape(array, spec)
        feeds[spec.name] = _filled(array, size) if fill else array
    return feeds


def _check_shape(array: NDArray[Any], spec: TensorSpec) -> None:
    fits = array.ndim == len(spec.shape) and all(
        not isinstance(wanted, int) or wanted == found
        for wanted, found in zip(spec.shape[1:], array.shape[1:], strict=True)
    )
    if not fits:
        raise DatasetError(
            f"the samples for the model input {spec.name!r} have shape {array.shape}, the model takes {spec.shape}"
        )


def _filled(array: NDArray[Any], size: int) -> NDArray[Any]:
    return np.concatenate([array, np.repeat(array[-1:], size - len(array), axis=0)])
