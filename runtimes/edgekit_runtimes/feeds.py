"""Checking what a caller feeds a session: one comparison an input when all is well, a full explanation when not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import FeedError

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The dtype and shape an input had when it was last accepted; equal again means no further check is needed."""

    name: str
    dtype: np.dtype[Any]
    shape: Shape | None


def expectations(specs: Sequence[TensorSpec]) -> tuple[Expected, ...]:
    """What to compare feeds with; a symbolic shape is None, which no array equals, so that `verify` decides."""
    return tuple(Expected(spec.name, np.dtype(spec.dtype), static_shape(spec)) for spec in specs)


def static_shape(spec: TensorSpec) -> Shape | None:
    """The shape when every dimension is a number, else None."""
    numbers = tuple(dim for dim in spec.shape if isinstance(dim, int))
    return numbers if len(numbers) == len(spec.shape) else None


def verify(feeds: Mapping[str, Any], specs: Sequence[TensorSpec], file: str) -> None:
    """Raises FeedError that says which input of ``file`` is wrong, what was found and what was expected."""
    names = {spec.name for spec in specs}
    known = ", ".join(repr(spec.name) for spec in specs)
    for name in feeds:
        if name not in names:
            raise FeedError(f"{file} has no input {name!r}; its inputs are {known}")
    for spec in specs:
        if spec.name not in feeds:
            raise FeedError(f"no array was given for the input {spec.name!r} of {file}; its inputs are {known}")
        _verify_array(feeds[spec.name], spec, file)


def _verify_array(array: NDArray[Any], spec: TensorSpec, file: str) -> None:
    where = f"input {spec.name!r} of {file}"
    if not isinstance(array, np.ndarray):
        raise FeedError(f"{where} is a {type(array).__name__}; expected a numpy array of {spec.dtype}")
    if array.dtype != spec.dtype:
        raise FeedError(
            f"{where} has dtype {array.dtype}; expected {spec.dtype}. Convert it with .astype({spec.dtype!r})"
        )
    if not _fits(array.shape, spec.shape):
        wanted = "(" + ", ".join(str(dim) for dim in spec.shape) + ")"
        raise FeedError(f"{where} has shape {array.shape}; expected {wanted}{_batch_hint(array.shape, spec.shape)}")


def _fits(found: Shape, expected: Sequence[int | str]) -> bool:
    return len(found) == len(expected) and all(
        isinstance(want, str) or have == want for have, want in zip(found, expected, strict=True)
    )


def _batch_hint(found: Shape, expected: Sequence[int | str]) -> str:
    if len(found) == len(expected) and found and _fits(found[1:], expected[1:]):
        return f". The file's batch is fixed to {expected[0]}; edgekit.load() runs any number of samples"
    return ""
