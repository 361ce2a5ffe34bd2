"""`FittedDataset`: stored samples, cut to a window, cast to the inputs' dtypes and checked batch by batch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.datasets.store import SampleStore
from edgekit.errors import DatasetError
from edgekit.protocols import Batch


class FittedDataset:
    """A `edgekit.protocols.Dataset`. Holds one batch at a time; every iteration reads the samples anew."""

    def __init__(self, store: SampleStore, inputs: tuple[TensorSpec, ...], start: int, stop: int, where: str) -> None:
        self._store, self._inputs, self._where = store, inputs, where
        self._start, self._stop = start, stop

    @property
    def notes(self) -> tuple[str, ...]:
        return self._store.notes

    @property
    def where(self) -> str:
        """The location as the user wrote it."""
        return self._where

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that it has samples for: all of the model's, or all but its states."""
        return self._inputs

    def __len__(self) -> int:
        return self._stop - self._start

    def batches(self, size: int) -> Iterator[Batch]:
        """Raises DatasetError where a sample does not fit the model, or holds NaN or infinity."""
        first = 0
        for batch in self._store.stream(self._start, self._stop, size):
            labels = _numeric(batch.labels, self._where)
            if any(_is_whole(batch.feeds[spec.name].shape, spec) for spec in self._inputs):
                yield from self._one_by_one(batch, labels, first)
            else:
                feeds = {spec.name: self._fit(batch.feeds[spec.name], spec, first) for spec in self._inputs}
                yield Batch(feeds, labels, batch.groups)
            first += len(batch)
        if first < len(self):
            raise DatasetError(f"{self._where} gave {first} samples of the {len(self)} that were announced")

    def probe(self) -> None:
        """Read the first sample, so that samples which do not fit are refused before long work begins."""
        next(self.batches(1))

    def _one_by_one(self, batch: Batch, labels: NDArray[Any] | None, first: int) -> Iterator[Batch]:
        """Whole samples: an input stored with an axis in front of all of its own loses that axis, others get batch 1."""
        for row in range(len(batch)):
            part = slice(row, row + 1)
            feeds = {}
            for spec in self._inputs:
                stored = batch.feeds[spec.name]
                if _is_whole(stored.shape, spec):
                    alone = _finite(stored[part], spec, self._start + first + row, self._where)
                    feeds[spec.name] = alone.reshape(alone.shape[1:])
                else:
                    feeds[spec.name] = self._fit(stored[part], spec, first + row)
            yield Batch(feeds, _rows(labels, part), _rows(batch.groups, part), whole=True)

    def _fit(self, array: NDArray[Any], spec: TensorSpec, first: int) -> NDArray[Any]:
        check_shape(array.shape, spec, self._where)
        return _finite(array, spec, self._start + first, self._where)


def float_side(spec: TensorSpec) -> TensorSpec:
    """The input as its user sees it: a quantized one takes float32 real values."""
    return spec if spec.quantization is None else dataclasses.replace(spec, dtype="float32", quantization=None)


def check_shape(found: tuple[int, ...], spec: TensorSpec, where: str) -> None:
    """``found`` is (samples, ...). Raises DatasetError with a hint on the usual mistakes."""
    sample, expected = found[1:], spec.shape[1:]
    if len(sample) == len(expected) and all(_same(*pair) for pair in zip(sample, expected, strict=True)):
        return
    raise DatasetError(
        f"samples of {spec.name!r} in {where} have shape {_shape_text(sample)}; "
        f"the model takes {_shape_text(expected)} for each{_hint(found, expected)}."
    )


def _is_whole(found: tuple[int, ...], spec: TensorSpec) -> bool:
    """Whether ``found`` is (samples, ...) with all axes of the input behind the first, its batch too."""
    return len(found) == len(spec.shape) + 1 and all(_same(*pair) for pair in zip(found[1:], spec.shape, strict=True))


def _rows(array: NDArray[Any] | None, part: slice) -> NDArray[Any] | None:
    return None if array is None else array[part]


def _finite(array: NDArray[Any], spec: TensorSpec, first: int, where: str) -> NDArray[Any]:
    """The array in the input's dtype; ``first`` is the number of its first sample. Raises DatasetError."""
    cast = _cast(array, spec, where)
    if cast.dtype.kind == "f" and not np.isfinite(cast).all():
        raise DatasetError(_not_finite(cast, spec.name, first, where))
    return cast


def _same(found: int, expected: int | str) -> bool:
    return not isinstance(expected, int) or found == expected


def _hint(found: tuple[int, ...], expected: tuple[int | str, ...]) -> str:
    sample = found[1:]
    if len(found) == len(expected) and all(_same(*pair) for pair in zip(found, expected, strict=True)):
        return ": the first axis must count the samples, write x[None] for a single one"
    if len(sample) == 3 == len(expected):
        for axes, name in (((2, 0, 1), "x.transpose(0, 3, 1, 2)"), ((1, 2, 0), "x.transpose(0, 2, 3, 1)")):
            if all(_same(sample[axis], expected[n]) for n, axis in enumerate(axes)):
                return f": the channels stand elsewhere, write {name} (layout in [preprocess] for pictures)"
    if (*sample, 1) == tuple(expected):
        return ": an axis is missing at the end, write x[..., None]"
    if all(isinstance(size, int) for size in expected):
        count = math.prod(size for size in expected if isinstance(size, int))
        if count == math.prod(sample):
            return f": the number of values fits, write x.reshape(-1, {', '.join(map(str, expected))})"
    return ""


def _cast(array: NDArray[Any], spec: TensorSpec, where: str) -> NDArray[Any]:
    """The array in the input's dtype: any number for a float input, whole numbers in range for an integer one."""
    expected = np.dtype(spec.dtype)
    if array.dtype == expected:
        return array
    fits = array.dtype.kind in ("biuf" if expected.kind == "f" else "biu")
    if not fits:
        raise DatasetError(
            f"samples of {spec.name!r} in {where} are {array.dtype}; the model takes {expected}. "
            f"Save them as {expected} numbers."
        )
    if expected.kind in "iu" and array.size and not np.can_cast(array.dtype, expected):
        bounds = np.iinfo(expected)
        if int(array.min()) < bounds.min or int(array.max()) > bounds.max:
            raise DatasetError(f"samples of {spec.name!r} in {where} reach {array.max()}, beyond {expected}")
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite and is reported as such
        return array.astype(expected)


def _not_finite(array: NDArray[Any], name: str, first: int, where: str) -> str:
    bad = ~np.isfinite(array)
    sample = int(bad.reshape(len(array), -1).any(axis=1).argmax())
    value = array[sample][bad[sample]].flat[0]
    count = int(bad[sample].sum())
    return (
        f"sample {first + sample} of {name!r} in {where} holds {value} ({count} of its values are not finite). "
        f"Remove or mend that sample."
    )


def _numeric(labels: NDArray[Any] | None, where: str) -> NDArray[Any] | None:
    if labels is not None and labels.dtype.kind not in "biuf":
        raise DatasetError(
            f"the labels of {where} are {labels.dtype}; expected numbers: class indices or target values"
        )
    return labels


def _shape_text(shape: tuple[int | str, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
