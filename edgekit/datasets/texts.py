"""Samples as texts, turned into tokens by the model's own tokenizer: a .txt file of lines, or columns of a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.datasets.csv_table import CsvTable
from edgekit.datasets.tokenizer import Text, Tokenizer
from edgekit.errors import DatasetError
from edgekit.protocols import Batch

Rows = list[tuple[Text, Any]]
"""Texts, each with what its label is read from."""


class TextStore:
    """Batches of token numbers, masks and token types, by the names that every text network of Hugging Face gives them."""

    def __init__(self, path: Path, inputs: Sequence[TensorSpec], labels: str | None, tokenizer: Path | None) -> None:
        self._file: _TextFile = _Lines(path, labels) if path.suffix.lower() == ".txt" else _Columns(path, labels)
        self._tokenizer = Tokenizer(_known(tokenizer, path), inputs)
        self.notes = (f"the texts of {path.name} became {self._tokenizer.description}",)

    def __len__(self) -> int:
        return len(self._file)

    def stream(self, start: int, stop: int, size: int) -> Iterator[Batch]:
        rows = islice(self._file.rows(), start, stop)
        while chunk := list(islice(rows, size)):
            yield Batch(self._tokenizer.feeds([text for text, _ in chunk]), self._file.labels(chunk))


def holds_texts(path: Path, inputs: Sequence[TensorSpec], tokenizer: Path | None) -> bool:
    """Whether a CSV file holds texts for a network of tokens, and not the tokens themselves."""
    if tokenizer is None or "input_ids" not in (spec.name for spec in inputs):
        return False
    return not any(name.startswith("input_ids") for name in CsvTable(path, "none").header)


class _TextFile(Protocol):
    """Where the texts are."""

    def __len__(self) -> int: ...

    def rows(self) -> Iterator[tuple[Text, Any]]:
        """Every text, and what its label is read from."""

    def labels(self, rows: Rows) -> NDArray[Any] | None: ...


class _Lines:
    """One text a line; empty lines are none."""

    def __init__(self, path: Path, labels: str | None) -> None:
        if labels not in (None, "none"):
            raise DatasetError(f"{path.name} has no labels; put text and label into the columns of a .csv file")
        self._path = path
        self._count = sum(1 for _ in self.rows())

    def __len__(self) -> int:
        return self._count

    def rows(self) -> Iterator[tuple[Text, None]]:
        try:
            with self._path.open(encoding="utf-8-sig") as stream:
                yield from ((line.strip(), None) for line in stream if line.strip())
        except UnicodeDecodeError as error:
            raise DatasetError(f"cannot read {self._path}: {error}. Expected text in UTF-8.") from error

    def labels(self, rows: Rows) -> NDArray[Any] | None:
        return None


class _Columns:
    """One text a row, or two that belong together (a question and its context)."""

    def __init__(self, path: Path, labels: str | None) -> None:
        self._table = CsvTable(path, labels)
        if len(self._table.columns) not in (1, 2):
            raise DatasetError(
                f"{path.name} has {len(self._table.columns)} columns beside its labels; expected a column of texts, or two "
                "for pairs. Name the column of the labels with --labels column:NAME and leave the others out."
            )

    def __len__(self) -> int:
        return len(self._table)

    def rows(self) -> Iterator[tuple[Text, Any]]:
        for line, cells in self._table.rows():
            texts = [cells[column] for column in self._table.columns]
            yield (texts[0] if len(texts) == 1 else (texts[0], texts[1])), (line, cells)

    def labels(self, rows: Rows) -> NDArray[Any] | None:
        return self._table.labels([row for _, row in rows])


def _known(tokenizer: Path | None, path: Path) -> Path:
    if tokenizer is None:
        raise DatasetError(
            f"{path.name} holds texts, and the model brings no tokenizer. The folder of a Hugging Face model has one in "
            "tokenizer.json, which is kept beside what is converted from it. For other models give tokens in an .npz file."
        )
    return tokenizer
