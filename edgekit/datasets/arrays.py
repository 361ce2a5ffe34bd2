"""Samples in .npz and .npy files. Uncompressed arrays are read from the disk batch by batch, compressed ones once."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.datasets.names import GROUPS, LABELS, SINGLE, match_names
from edgekit.datasets.stored_array import StoredArray
from edgekit.errors import DatasetError
from edgekit.protocols import Batch

Stored = NDArray[Any] | StoredArray

_DAMAGED = (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error, struct.error)


class ArrayStore:
    """One array an input, first axis the samples; ``y`` holds the labels and ``group`` a group a sample, if present."""

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, inputs: Sequence[TensorSpec], labels: str | None) -> None:
        try:
            names = _names(path)
            stored = match_names(names, inputs, path.name)
            self._arrays = {name: _open(path, key) for name, key in stored.items()}
            self._labels = _labels(path, names, stored.values(), labels)
            self._groups = _open(path, GROUPS) if GROUPS in names and GROUPS not in stored.values() else None
        except _DAMAGED as error:
            raise DatasetError(f"cannot read {path}: {_reason(error)}") from error
        self._count = _common_count(self._all(), path)

    def __len__(self) -> int:
        return self._count

    def stream(self, start: int, stop: int, size: int) -> Iterator[Batch]:
        for first in range(start, stop, size):
            part = slice(first, min(stop, first + size))
            feeds = {name: np.asarray(array[part]) for name, array in self._arrays.items()}
            yield Batch(feeds, _part(self._labels, part), _part(self._groups, part))

    def _all(self) -> dict[str, Stored]:
        extra = {"labels": self._labels, "groups": self._groups}
        return {**self._arrays, **{name: array for name, array in extra.items() if array is not None}}


def array_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays in a file. Raises DatasetError."""
    try:
        return _names(path)
    except _DAMAGED as error:
        raise DatasetError(f"cannot read {path}: {_reason(error)}") from error


def _names(path: Path) -> tuple[str, ...]:
    if path.suffix.lower() == ".npy":
        return (SINGLE,)
    with zipfile.ZipFile(path) as archive:
        return tuple(name.removesuffix(".npy") for name in archive.namelist())


def _open(path: Path, name: str) -> Stored:
    """The array, left on the disk where it is stored as it is. Never unpickles."""
    if path.suffix.lower() == ".npy":
        with path.open("rb") as stream:
            return _left_on_disk(path, stream, 0, path.stat().st_size, name)
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
        if member.compress_type == zipfile.ZIP_STORED:
            with archive.open(member) as stream:
                return _left_on_disk(path, stream, _data_offset(path, member), member.file_size, name)
    with np.load(path, allow_pickle=False) as arrays:
        return _counted(arrays[name], name)


def _left_on_disk(path: Path, stream: IO[bytes], offset: int, size_bytes: int, name: str) -> Stored:
    """The array whose .npy image of ``size_bytes`` begins at ``offset`` of the file; ``stream`` stands at its first byte."""
    shape, fortran, dtype = _header(stream)
    header_bytes = stream.tell()
    if dtype.hasobject:
        raise ValueError(f"array {name!r} holds Python objects, which are never unpickled")
    nbytes = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    if header_bytes + nbytes != size_bytes:
        raise ValueError(f"array {name!r} is {size_bytes} bytes long, its header announces {header_bytes + nbytes}")
    if nbytes == 0 or not shape:
        return _counted(np.empty(shape, dtype), name)
    return StoredArray(path, dtype, offset + header_bytes, shape, "F" if fortran else "C")


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return shape, fortran, dtype


def _data_offset(path: Path, member: zipfile.ZipInfo) -> int:
    """Where a stored member's bytes begin: after its local header (PKWARE APPNOTE 4.3.7), whose name and extra field vary."""
    with path.open("rb") as stream:
        stream.seek(member.header_offset)
        name_bytes, extra_bytes = struct.unpack("<26x2H", stream.read(30))
    return int(member.header_offset + 30 + name_bytes + extra_bytes)


def _counted(array: NDArray[Any], name: str) -> NDArray[Any]:
    """The array, if it has a first axis."""
    if array.ndim == 0:
        raise ValueError(f"array {name!r} is a single value; the first axis must count the samples")
    return array


def _labels(path: Path, names: Sequence[str], inputs: Collection[str], wanted: str | None) -> Stored | None:
    """``wanted``: None (array ``y`` if there is one), "none", "array:NAME" or "file:PATH.npy"."""
    if wanted == "none":
        return None
    if wanted is None:
        return _open(path, LABELS) if LABELS in names and LABELS not in inputs else None
    kind, _, value = wanted.partition(":")
    if kind == "file" and value.endswith(".npy"):
        return _open(Path(value), SINGLE)
    if kind != "array":
        raise DatasetError(f"labels are asked for as {wanted!r}; for {path.name} write array:NAME or file:labels.npy")
    if value not in names:
        raise DatasetError(f"{path.name} has no array {value!r} for the labels; it holds {', '.join(names)}")
    return _open(path, value)


def _common_count(arrays: Mapping[str, Stored], path: Path) -> int:
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise DatasetError(f"the arrays of {path.name} have different numbers of samples ({listed})")
    return next(iter(counts.values()))


def _part(array: Stored | None, part: slice) -> NDArray[Any] | None:
    return None if array is None else np.asarray(array[part])


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"it lacks the array {error}"
    if "allow_pickle" in str(error) or "pickled" in str(error):
        return "it holds Python objects, which are never unpickled. Save arrays of numbers."
    return f"{error or type(error).__name__}. Is it a whole file, as numpy.savez writes it?"
