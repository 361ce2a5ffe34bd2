"""`TensorflowSource`: SavedModels and frozen graphs to hubs, and TensorFlow as the reference; both in child processes."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from edgekit import isolation
from edgekit.errors import MissingPackageError, SourceError
from edgekit.protocols import Availability, Progress, ReadOptions, Session
from edgekit_converters.hub.model import Hub
from edgekit_converters.sources.exporting import read_exported
from edgekit_converters.sources.tensorflow.requests import ExportRequest, FunctionRequest

_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")
_DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "tensorflow_cpu")
_REMEDY = "pip install 'edgekit-ml[tensorflow]'"


class TensorflowSource:
    """Reads SavedModel folders and frozen graphs (``.pb``)."""

    name = "tensorflow"

    def matches(self, path: Path) -> bool:
        return _is_saved_model(path) or path.suffix.lower() == ".pb"

    def probe(self) -> Availability:
        for distribution in _DISTRIBUTIONS:
            try:
                found = version(distribution)
            except PackageNotFoundError:
                continue
            if find_spec("tf2onnx") is None:
                return Availability(False, found, "tf2onnx is not installed", _REMEDY)
            return Availability(True, found)
        return Availability(False, reason="tensorflow is not installed", remedy=_REMEDY)

    def read(self, path: Path, options: ReadOptions, progress: Progress | None = None) -> Hub:
        """The hub of the network, checked against TensorFlow's own outputs.

        Of a SavedModel's signatures "serving_default" is taken, else the only one. Raises SourceError and its kind.
        """
        request = FunctionRequest(_model_path(path), options)
        for package in ("tensorflow", "tf2onnx"):
            if find_spec(package) is None:
                raise MissingPackageError(package, "tensorflow", f"reading {path.name}")
        return read_exported(
            "edgekit_converters.sources.tensorflow.export:export",
            lambda onnx_path: ExportRequest(request, onnx_path),
            "reading the TensorFlow model",
            progress,
            framework=self.name,
            source=path,
        )

    def reference(self, path: Path, options: ReadOptions) -> Session | None:
        """The network in TensorFlow, its variables not yet frozen. Raises as `read`."""
        if find_spec("tensorflow") is None:
            return None
        return isolation.open_session(
            "edgekit_converters.sources.tensorflow.session:open_reference",
            FunctionRequest(_model_path(path), options),
            stage="the TensorFlow reference",
        )


def _is_saved_model(path: Path) -> bool:
    return any((path / name).is_file() for name in _SAVED_MODEL)


def _model_path(path: Path) -> Path:
    """The SavedModel's folder, also when its file was named, or the frozen graph's file. Raises SourceError."""
    if path.name in _SAVED_MODEL and path.is_file():
        return path.parent
    if path.is_dir() and not _is_saved_model(path):
        raise SourceError(f"{path} is a folder without saved_model.pb; expected a TensorFlow SavedModel")
    if not path.exists():
        raise SourceError(f"there is no model {str(path)!r}; expected a SavedModel folder or a frozen graph (.pb)")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} is empty; expected a frozen TensorFlow graph. Was its download interrupted?")
    return path
