"""Samples in a CSV file: a header, one sample a row, features as numbers. Read row by row."""

from __future__ import annotations

import csv
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
from edgekit.errors import DatasetError
from edgekit.protocols import Batch

LABEL_COLUMNS = ("y", "label")

Row = tuple[int, list[str]]
"""Line number in the file, and the cells."""


@dataclass(frozen=True, slots=True)
class _InputColumns:
    """Columns that make up an input, and the shape of its samples."""

    name: str
    columns: tuple[int, ...]
    shape: tuple[int, ...]


class CsvStore:
    """One input takes all feature columns in order; of several, each takes its own: ``name``, or ``name[0]``, ``name[1]``..."""

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, inputs: Sequence[TensorSpec], labels: str | None) -> None:
        self._path = path
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(path)
        self._header = self._read_header()
        self._label = self._label_column(labels)
        self._inputs = tuple(self._columns_of(spec, len(inputs) == 1) for spec in inputs)
        self._count = sum(1 for _ in self._rows())
        self._classes = self._named_classes()

    def __len__(self) -> int:
        return self._count

    def stream(self, start: int, stop: int, size: int) -> Iterator[Batch]:
        rows = islice(self._rows(), start, stop)
        while chunk := list(islice(rows, size)):
            feeds = {entry.name: self._features(chunk, entry) for entry in self._inputs}
            yield Batch(feeds, self._labels(chunk))

    def _rows(self) -> Iterator[Row]:
        """Raises DatasetError for a row with a wrong number of cells."""
        try:
            with self._path.open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.reader(stream, delimiter=self._delimiter)
                for cells in islice(reader, 1, None):
                    if not cells:
                        continue
                    if len(cells) != len(self._header):
                        raise DatasetError(
                            f"{self._path}, line {reader.line_num}: {len(cells)} cells, the header has {len(self._header)}"
                        )
                    yield reader.line_num, cells
        except (UnicodeDecodeError, csv.Error) as error:
            raise DatasetError(f"cannot read {self._path}: {error}. Expected CSV text in UTF-8.") from error

    def _read_header(self) -> list[str]:
        try:
            with self._path.open(newline="", encoding="utf-8-sig") as stream:
                header = next(csv.reader(stream, delimiter=self._delimiter), [])
        except (UnicodeDecodeError, csv.Error, OSError) as error:
            raise DatasetError(f"cannot read {self._path}: {error}. Expected CSV text in UTF-8.") from error
        names = [name.strip() for name in header]
        if not names or all(_is_number(name) for name in names):
            raise DatasetError(f"{self._path} has no header; its first line must name the columns")
        return names

    def _label_column(self, labels: str | None) -> int | None:
        if labels == "none":
            return None
        if labels is None:
            return next((self._header.index(name) for name in LABEL_COLUMNS if name in self._header), None)
        kind, _, name = labels.partition(":")
        if kind != "column":
            raise DatasetError(f"labels are asked for as {labels!r}; for {self._path.name} write column:NAME")
        if name not in self._header:
            raise DatasetError(f"{self._path.name} has no column {name!r}; its columns: {', '.join(self._header)}")
        return self._header.index(name)

    def _columns_of(self, spec: TensorSpec, single: bool) -> _InputColumns:
        pattern = re.compile(re.escape(spec.name) + r"(\[\d+\])?")
        columns = tuple(
            n for n, name in enumerate(self._header) if n != self._label and (single or pattern.fullmatch(name))
        )
        static = all(isinstance(size, int) for size in spec.shape[1:])
        shape = tuple(size for size in spec.shape[1:] if isinstance(size, int)) if static else (len(columns),)
        if len(columns) != math.prod(shape):
            raise DatasetError(
                f"{self._path.name} has {len(columns)} columns for input {spec.name!r}; the model takes {math.prod(shape)} "
                f"values a sample. Name the label's column with column:NAME; the others must be the features."
            )
        return _InputColumns(spec.name, columns, shape)

    def _features(self, rows: list[Row], entry: _InputColumns) -> NDArray[np.float32]:
        values = [[self._number(line, cells, column) for column in entry.columns] for line, cells in rows]
        return np.array(values, np.float32).reshape(len(rows), *entry.shape)

    def _number(self, line: int, cells: list[str], column: int) -> float:
        try:
            return float(cells[column])
        except ValueError:
            raise DatasetError(
                f"{self._path}, line {line}, column {self._header[column]!r}: {cells[column]!r} is not a number. "
                f"Encode the features as the model was trained with."
            ) from None

    def _named_classes(self) -> tuple[str, ...] | None:
        """The sorted label texts when they are not all numbers: a label is then the index of its text."""
        if self._label is None:
            return None
        texts = {cells[self._label].strip() for _, cells in self._rows()}
        return None if all(_is_number(text) for text in texts) else tuple(sorted(texts))

    def _labels(self, rows: list[Row]) -> NDArray[Any] | None:
        if self._label is None:
            return None
        texts = [cells[self._label].strip() for _, cells in rows]
        if self._classes is not None:
            return np.array([self._classes.index(text) for text in texts], np.int64)
        numbers = np.array([float(text) for text in texts])
        return numbers.astype(np.int64) if (numbers == np.rint(numbers)).all() else numbers


def _delimiter(path: Path) -> str:
    with path.open("rb") as stream:
        line = stream.readline(1 << 16)
    return ";" if b";" in line and b"," not in line else ","


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
