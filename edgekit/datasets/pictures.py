"""Samples in a folder of pictures. Decoded one batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.datasets.file_labels import files_in, label_files
from edgekit.datasets.fitted import check_shape
from edgekit.datasets.location import PICTURE_SUFFIXES
from edgekit.datasets.names import only_input
from edgekit.errors import DatasetError
from edgekit.preprocess import apply, read_picture
from edgekit.protocols import Batch
from edgekit.recipe import Preprocess


class PictureStore:
    """Pictures in the order of their paths, brought to the model's input as ``preprocess`` says."""

    def __init__(
        self, folder: Path, inputs: Sequence[TensorSpec], preprocess: Preprocess | None, labels: str | None
    ) -> None:
        self._spec = only_input(inputs, "a folder of pictures")
        self._preprocess = preprocess or _plain_preprocess(self._spec, folder)
        self._files = files_in(folder, PICTURE_SUFFIXES)
        self._labels = label_files(folder, self._files, labels)
        self.notes = () if preprocess else (_NOTE,)

    def __len__(self) -> int:
        return len(self._files)

    def stream(self, start: int, stop: int, size: int) -> Iterator[Batch]:
        for first in range(start, stop, size):
            last = min(stop, first + size)
            pixels = np.stack([self._picture(file) for file in self._files[first:last]])
            labels = None if self._labels is None else self._labels[first:last]
            yield Batch({self._spec.name: pixels}, labels)

    def _picture(self, file: Path) -> NDArray[np.float32]:
        values = apply(read_picture(file), self._preprocess)
        if self._preprocess.resize is None:
            _check_size(values, self._spec, file)
        return values


_NOTE = "pictures are fed as pixel values 0..255; a recipe's [preprocess] gives them another mean and scale"


def _check_size(values: NDArray[np.float32], spec: TensorSpec, file: Path) -> None:
    try:
        check_shape((1, *values.shape), spec, file.name)
    except DatasetError as error:
        raise DatasetError(
            f"{error} Pictures are resized only on request: [preprocess] resize in the recipe."
        ) from error


def _plain_preprocess(spec: TensorSpec, folder: Path) -> Preprocess:
    """Layout and channels as the input's shape shows them; no resizing, no scaling."""
    sample = spec.shape[1:]
    for layout, channels in (("NHWC", sample[-1:]), ("NCHW", sample[:1])):
        if len(sample) == 3 and channels in ((3,), (1,)):
            return Preprocess(layout=layout, channels="RGB" if channels == (3,) else "L")
    raise DatasetError(
        f"input {spec.name!r} has shape {spec.shape}, which is no picture's; {folder} holds pictures. "
        f"Expected (batch, height, width, channels) or (batch, channels, height, width) with 1 or 3 channels."
    )
