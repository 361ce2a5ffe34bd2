"""Labels of samples that are files: from the folder's name, from the file's name, or from a list."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DatasetError

_LEADING_DIGITS = re.compile(r"\d+")


def label_files(folder: Path, files: Sequence[Path], wanted: str | None) -> NDArray[Any] | None:
    """A class index (int64) or a target value a file, or None.

    ``wanted``: None (the subfolder's name where all files lie in subfolders), "none", "folder", "prefix" (leading digits
    of the file's name), or "file:PATH", a CSV of two columns: file name, label.
    """
    if wanted is None:
        wanted = "folder" if all(file.parent != folder for file in files) else "none"
    if wanted == "none":
        return None
    if wanted == "folder":
        return _indices([file.relative_to(folder).parts[0] for file in files])
    if wanted == "prefix":
        return np.array([_prefix(file) for file in files], np.int64)
    kind, _, value = wanted.partition(":")
    if kind == "file":
        return _from_list(Path(value), folder, files)
    raise DatasetError(f"labels are asked for as {wanted!r}; for a folder write folder, prefix, file:PATH.csv or none")


def files_in(folder: Path, suffixes: frozenset[str]) -> tuple[Path, ...]:
    """The files with one of the suffixes, in the folder and below, sorted by path; hidden ones are left out."""
    found = [file for file in folder.rglob("*") if file.suffix.lower() in suffixes and file.is_file()]
    visible = (file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))
    return tuple(sorted(visible, key=lambda file: file.relative_to(folder).parts))


def _prefix(file: Path) -> int:
    match = _LEADING_DIGITS.match(file.name)
    if match is None:
        raise DatasetError(f"{file.name} does not begin with the digits of its class; labels were asked for as prefix")
    return int(match[0])


def _from_list(path: Path, folder: Path, files: Sequence[Path]) -> NDArray[Any]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"cannot read the labels {path}: {error}") from error
    if any(len(row) != 2 for row in rows):
        raise DatasetError(f"{path} must have two columns, file name and label")
    by_name: dict[str, str] = {row[0]: row[1] for row in rows}
    missing = [file for file in files if _key(file, folder, by_name) is None]
    if missing:
        raise DatasetError(f"{path} has no label for {missing[0].name} and {len(missing) - 1} other files")
    texts = [by_name[str(_key(file, folder, by_name))] for file in files]
    return _indices(texts)


def _key(file: Path, folder: Path, labels: dict[str, str]) -> str | None:
    relative = file.relative_to(folder).as_posix()
    return next((name for name in (relative, file.name, file.stem) if name in labels), None)


def _indices(texts: list[str]) -> NDArray[Any]:
    """Numbers as they are; other texts become their place in the sorted list of all of them."""
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        return np.unique(texts, return_inverse=True)[1].astype(np.int64)
    return numbers.astype(np.int64) if (numbers == np.rint(numbers)).all() else numbers
