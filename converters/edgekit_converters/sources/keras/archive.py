"""Opening a Keras file: its JSON, who wrote it, and its weights, with every size checked before it is allocated."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import SourceError

if TYPE_CHECKING:
    import h5py

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_LARGEST_JSON_BYTES = 256 << 20
_LARGEST_RATIO = 1100
"""No deflated stream grows by more than 1032."""
_DAMAGED = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, MemoryError)
"""What h5py and the parsing of a damaged configuration raise."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who wrote the file; ``version`` is Keras's, as in (2, 4)."""

    version: tuple[int, int]
    backend: str
    zipped: bool
    """True for `.keras`."""

    @property
    def major(self) -> int:
        return self.version[0]


@dataclass(frozen=True, slots=True)
class Archive:
    """An open file: the model's configuration and the HDF5 group of its weights."""

    config: object
    provenance: Provenance
    weights: h5py.Group


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open a `.keras` or whole-model HDF5 file. Raises SourceError when it is missing, damaged or holds weights only."""
    if not path.is_file():
        raise SourceError(f"there is no model file {str(path)!r}")
    if zipfile.is_zipfile(path):
        with _opened_zip(path) as archive:
            yield archive
    else:
        with _opened_hdf5(path) as archive:
            yield archive


def is_hdf5(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(8) == b"\x89HDF\r\n\x1a\n"


@contextmanager
def _opened_zip(path: Path) -> Iterator[Archive]:
    try:
        with zipfile.ZipFile(path) as package:
            if _CONFIG not in package.namelist():
                raise SourceError(
                    f"{path} is a zip file without {_CONFIG}; expected a .keras file as model.save() writes it"
                )
            config = _json(_member(package, _CONFIG, _LARGEST_JSON_BYTES), f"{_CONFIG} of {path}")
            metadata = _member(package, _METADATA, _LARGEST_JSON_BYTES) if _METADATA in package.namelist() else b"{}"
            raw = _member(package, _WEIGHTS, None)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise SourceError(f"{path} is a damaged .keras file: {error}. Save the model again.") from error
    found = _json(metadata, f"{_METADATA} of {path}")
    version = found.get("keras_version") if isinstance(found, dict) else None
    with _hdf5(io.BytesIO(raw), path) as store:
        yield Archive(config, Provenance(_version(version, (3, 0)), "tensorflow", True), store)


def _member(package: zipfile.ZipFile, name: str, largest: int | None) -> bytes:
    """The bytes of a member whose declared size is believable."""
    try:
        info = package.getinfo(name)
    except KeyError as error:
        raise SourceError(
            f"{package.filename} has no {name}; expected a .keras file as model.save() writes it"
        ) from error
    limit = min(largest or info.file_size, info.compress_size * _LARGEST_RATIO + 1024)
    if info.file_size > limit:
        raise SourceError(
            f"{name} of {package.filename} claims {info.file_size} bytes from {info.compress_size} compressed ones; "
            "the file is damaged or made to exhaust memory"
        )
    return package.read(info)


@contextmanager
def _opened_hdf5(path: Path) -> Iterator[Archive]:
    if not is_hdf5(path):
        raise SourceError(
            f"{path} is neither a zip nor an HDF5 file; expected .keras or .h5 as model.save() writes them"
        )
    with _hdf5(path, path) as store:
        attributes = store.attrs
        if "model_config" not in attributes:
            raise SourceError(
                f"{path} holds weights only, without the model they belong to. Save the whole model with model.save(), "
                "or build it, call load_weights() and then model.save()."
            )
        config = _json(_bytes(attributes["model_config"]), f"model_config of {path}")
        weights = store.get("model_weights", store)
        written = {**dict(attributes), **dict(weights.attrs)}
        version = _version(_text(written.get("keras_version")), (1, 0))
        yield Archive(config, Provenance(version, _text(written.get("backend")) or "", False), weights)


@contextmanager
def _hdf5(file: Path | io.BytesIO, path: Path) -> Iterator[h5py.File]:
    """An open HDF5 file; whatever is found wrong with it while it is open becomes a SourceError."""
    import h5py

    try:
        with h5py.File(file, "r") as store:
            yield store
    except _DAMAGED as error:
        raise SourceError(f"{path} is damaged: {error!r}. Save the model again.") from error


def _json(raw: bytes | str, what: str) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{what} is not readable JSON: {error}. Save the model again.") from error


def _version(raw: object, default: tuple[int, int]) -> tuple[int, int]:
    """(2, 4) from "2.4.0" or "2.2.4-tf"."""
    parts = str(raw or "").split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        return default
    return int(parts[0]), int(parts[1])


def _text(raw: object) -> str | None:
    if raw is None:
        return None
    return _bytes(raw).decode("utf-8", "replace")


def _bytes(raw: object) -> bytes:
    if isinstance(raw, bytes):
        return raw
    return str(raw).encode("utf-8", "surrogateescape")
