"""`KerasSource`: how edgekit finds and reads Keras files."""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, final

from edgekit.errors import MissingPackageError
from edgekit.protocols import Availability, Progress, ReadOptions, Session

if TYPE_CHECKING:
    from edgekit_converters.hub.model import Hub

_SUFFIXES = (".keras", ".h5", ".hdf5")
_INSTALL = "pip install 'edgekit-ml[convert]'"


@final
class KerasSource:
    """Reads `.keras` and whole-model `.h5` files of Keras 1, 2 and 3, without keras."""

    name = "keras"

    def matches(self, path: Path) -> bool:
        """True for files of Keras's suffixes, and for `.keras` packages whatever they are called."""
        if path.suffix.lower() in _SUFFIXES:
            return path.is_file()
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        try:
            with zipfile.ZipFile(path) as package:
                return {"config.json", "model.weights.h5"} <= set(package.namelist())
        except (zipfile.BadZipFile, OSError):
            return False

    def probe(self) -> Availability:
        missing = [package for package in ("h5py", "onnx", "onnx_ir") if find_spec(package) is None]
        if missing:
            return Availability(False, reason=f"the package {missing[0]!r} is not installed", remedy=_INSTALL)
        from importlib.metadata import version

        return Availability(True, version=f"h5py {version('h5py')}")

    def read(self, path: Path, options: ReadOptions, progress: Progress | None = None) -> Hub:
        """The hub of the model. Raises SourceError and its kinds, MissingPackageError."""
        for package in ("h5py", "onnx", "onnx_ir"):
            if find_spec(package) is None:
                raise MissingPackageError(package, "convert", "reading a Keras file")
        from edgekit_converters.sources.keras.read import read_keras

        return read_keras(path, options)

    def reference(self, path: Path, options: ReadOptions) -> Session | None:
        """Keras's own outputs, from a child process; None where tensorflow is absent or Keras can't load the file."""
        from edgekit_converters.sources.keras.reference import open_reference

        return open_reference(path)
