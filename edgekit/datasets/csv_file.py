"""Samples in a CSV file: a header, one sample a row, features as numbers. Read row by row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.datasets.csv_table import CsvTable, Row
from edgekit.errors import DatasetError
from edgekit.protocols import Batch


@dataclass(frozen=True, slots=True)
class _InputColumns:
    """Columns that make up an input, and the shape of its samples."""

    name: str
    columns: tuple[int, ...]
    shape: tuple[int, ...]
    whole: bool
    """Whether the input takes integers, such as the numbers of tokens."""


class CsvStore:
    """One input takes all feature columns in order; of several, each takes its own: ``name``, or ``name[0]``, ``name[1]``..."""

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, inputs: Sequence[TensorSpec], labels: str | None) -> None:
        self._path = path
        self._table = CsvTable(path, labels)
        self._inputs = tuple(self._columns_of(spec, len(inputs) == 1) for spec in inputs)

    def __len__(self) -> int:
        return len(self._table)

    def stream(self, start: int, stop: int, size: int) -> Iterator[Batch]:
        rows = islice(self._table.rows(), start, stop)
        while chunk := list(islice(rows, size)):
            feeds = {entry.name: self._features(chunk, entry) for entry in self._inputs}
            yield Batch(feeds, self._table.labels(chunk))

    def _columns_of(self, spec: TensorSpec, single: bool) -> _InputColumns:
        pattern = re.compile(re.escape(spec.name) + r"(\[\d+\])?")
        header = self._table.header
        columns = tuple(column for column in self._table.columns if single or pattern.fullmatch(header[column]))
        static = all(isinstance(size, int) for size in spec.shape[1:])
        shape = tuple(size for size in spec.shape[1:] if isinstance(size, int)) if static else (len(columns),)
        if len(columns) != math.prod(shape):
            raise DatasetError(
                f"{self._path.name} has {len(columns)} columns for input {spec.name!r}; the model takes {math.prod(shape)} "
                f"values a sample. Name the label's column with column:NAME; the others must be the features."
            )
        return _InputColumns(spec.name, columns, shape, np.dtype(spec.dtype).kind in "iu")

    def _features(self, rows: list[Row], entry: _InputColumns) -> NDArray[Any]:
        values = [[self._number(line, cells, column) for column in entry.columns] for line, cells in rows]
        array = np.array(values).reshape(len(rows), *entry.shape)
        return array.astype(np.int64 if entry.whole and (array == np.rint(array)).all() else np.float32)

    def _number(self, line: int, cells: list[str], column: int) -> float:
        try:
            return float(cells[column])
        except ValueError:
            raise DatasetError(
                f"{self._path}, line {line}, column {self._table.header[column]!r}: {cells[column]!r} is not a number. "
                f"Encode the features as the model was trained with."
            ) from None
