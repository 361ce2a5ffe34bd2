"""A CSV file as a table: a header, rows, and a column of labels. Read row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DatasetError

LABEL_COLUMNS = ("y", "label")

Row = tuple[int, list[str]]
"""Line number in the file, and the cells."""


class CsvTable:
    """``columns``: numbers of the columns that are no labels, in the file's order; ``label``: that of the labels, if any."""

    def __init__(self, path: Path, labels: str | None) -> None:
        self._path = path
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(path)
        self.header = self._read_header()
        self.label = self._label_column(labels)
        self.columns = tuple(column for column in range(len(self.header)) if column != self.label)
        self._count = sum(1 for _ in self.rows())
        self._classes = self._named_classes()

    def __len__(self) -> int:
        return self._count

    def rows(self) -> Iterator[Row]:
        """Raises DatasetError for a row with a wrong number of cells."""
        try:
            with self._path.open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.reader(stream, delimiter=self._delimiter)
                for cells in islice(reader, 1, None):
                    if not cells:
                        continue
                    if len(cells) != len(self.header):
                        raise DatasetError(
                            f"{self._path}, line {reader.line_num}: {len(cells)} cells, the header has {len(self.header)}"
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
            return next((self.header.index(name) for name in LABEL_COLUMNS if name in self.header), None)
        kind, _, name = labels.partition(":")
        if kind != "column":
            raise DatasetError(f"labels are asked for as {labels!r}; for {self._path.name} write column:NAME")
        if name not in self.header:
            raise DatasetError(f"{self._path.name} has no column {name!r}; its columns: {', '.join(self.header)}")
        return self.header.index(name)

    def _named_classes(self) -> tuple[str, ...] | None:
        """The sorted label texts when they are not all numbers: a label is then the index of its text."""
        if self.label is None:
            return None
        texts = {cells[self.label].strip() for _, cells in self.rows()}
        return None if all(_is_number(text) for text in texts) else tuple(sorted(texts))

    def labels(self, rows: Sequence[Row]) -> NDArray[Any] | None:
        if self.label is None:
            return None
        texts = [cells[self.label].strip() for _, cells in rows]
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
