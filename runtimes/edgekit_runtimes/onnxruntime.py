"""ONNX Runtime: ONNX files on the CPU or on the execution providers that are asked for by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import Artifact, Manifest, Quantization, TensorSpec
from edgekit.errors import ArtifactError, FeedError, UsageError
from edgekit.protocols import Availability, Feeds, Placement, SessionOptions, TimedOp
from edgekit_runtimes.feeds import Expected, expectations, verify
from edgekit_runtimes.installed import installed_version, require
from edgekit_runtimes.onnxruntime_binding import OnnxBound
from edgekit_runtimes.onnxruntime_native import native_errors, one_line, open_native
from edgekit_runtimes.onnxruntime_placement import place
from edgekit_runtimes.onnxruntime_providers import Provider, absent, available, choose, named
from edgekit_runtimes.onnxruntime_times import op_times


class OnnxRuntime:
    """Runtime ``onnxruntime``. A delegate is an execution provider: "CUDAExecutionProvider", or "cuda" for short."""

    name = "onnxruntime"
    formats = ("onnx",)

    def probe(self) -> Availability:
        unusable = self._unusable()
        if unusable is not None:
            return unusable
        import onnxruntime

        return Availability(True, onnxruntime.__version__, accelerators=named())

    def survey(self) -> Availability:
        found = self.probe()
        return replace(found, accelerators=available(), absent=absent()) if found.available else found

    def open(self, path: Path, options: SessionOptions) -> OnnxSession:
        if (unusable := self._unusable()) is not None:
            require(self.name, unusable)
        if not path.is_file():
            raise ArtifactError(f"there is no model file {str(path)!r}")
        return OnnxSession(path, options, choose(options.delegates, path, options.threads))

    def _unusable(self) -> Availability | None:
        """Why nothing can be opened; None where it can."""
        remedy = "pip install 'edgekit-ml[onnx]'"
        if find_spec("onnxruntime") is None:
            return Availability(False, reason="onnxruntime is not installed", remedy=remedy)
        try:
            import onnxruntime  # noqa: F401  # whether it can be imported is the question
        except ImportError as error:
            return Availability(
                False, installed_version("onnxruntime"), f"importing onnxruntime fails: {error}", remedy
            )
        return None

    def op_times(self, path: Path, options: SessionOptions) -> tuple[TimedOp, ...]:
        session = self.open(path, options)
        return op_times(path, options, session.providers, session.inputs)


class OnnxSession:
    """An ONNX file, opened on ``providers`` in order of preference; `placement` tells what they left to the CPU."""

    def __init__(self, path: Path, options: SessionOptions, providers: Sequence[Provider]) -> None:
        self._path, self._options, self.providers = path, options, tuple(providers)
        self._session: Any = open_native(path, options, providers)
        encodings = _encodings(path)
        self.inputs = tuple(_spec(entry, encodings, path) for entry in self._session.get_inputs())
        self.outputs = tuple(_spec(entry, encodings, path) for entry in self._session.get_outputs())
        self._expected = expectations(self.inputs)
        self._names = [spec.name for spec in self.outputs]
        self._errors = native_errors()
        self._bound: list[OnnxBound] = []

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Outputs by name; raises FeedError for a wrong name, shape or dtype."""
        try:
            if len(feeds) != len(self._expected):
                self._accept(feeds)
            for expected in self._expected:
                array = feeds[expected.name]
                if array.shape != expected.shape or array.dtype != expected.dtype:
                    self._accept(feeds)
                    break
            names = self._names
            return dict(zip(names, self._session.run(names, feeds), strict=True))
        except (KeyError, AttributeError):
            self._accept(feeds)
            raise
        except self._errors as error:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in feeds.items())
            raise FeedError(f"{self._path.name} failed on {shapes}: {one_line(error)}") from error

    def bind(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> OnnxBound:
        """Inputs and outputs in memory of their own; runs with other shapes stay possible beside it."""
        if self._session is None:
            raise UsageError(f"the session of {self._path.name} is closed; open the file again")
        bound = OnnxBound(self._session, self.inputs, self.outputs, self._path.name, shapes or {})
        self._bound.append(bound)
        return bound

    def placement(self) -> Placement:
        """Runs the model once more on zeros in a session of its own that records every kernel."""
        return place(self._path, self._options, self.providers, self.inputs)

    def close(self) -> None:
        """Free the session; a later run raises UsageError."""
        self._session = None
        for bound in self._bound:
            bound.close()

    def _accept(self, feeds: Feeds) -> None:
        """Explain what is wrong, or remember shapes that fit the open dimensions."""
        if self._session is None:
            raise UsageError(f"the session of {self._path.name} is closed; open the file again")
        verify(feeds, self.inputs, self._path.name)
        self._expected = tuple(Expected(e.name, e.dtype, feeds[e.name].shape) for e in self._expected)


def _spec(entry: Any, encodings: dict[str, Quantization], path: Path) -> TensorSpec:
    if entry.type not in _DTYPES:
        raise ArtifactError(f"{path}: {entry.name!r} is a {entry.type}; edgekit runs tensors of numbers only")
    shape = tuple(
        dim if isinstance(dim, int) else str(dim or f"{entry.name}_dim_{axis}") for axis, dim in enumerate(entry.shape)
    )
    return TensorSpec(entry.name, _DTYPES[entry.type], shape, encodings.get(entry.name))


def _encodings(path: Path) -> dict[str, Quantization]:
    """Encodings of integer inputs and outputs: an ONNX file has no place for them, its manifest has."""
    beside = Artifact.manifest_path(path)
    if not beside.is_file():
        return {}
    manifest = Manifest.from_json(beside.read_text("utf-8"), str(beside))
    return {spec.name: spec.quantization for spec in (*manifest.inputs, *manifest.outputs) if spec.quantization}


_DTYPES = {
    f"tensor({onnx_name})": np.dtype(numpy_name).name
    for onnx_name, numpy_name in (
        *((name, name) for name in ("float16", "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32")),
        *(("int64", "int64"), ("uint64", "uint64"), ("float", "float32"), ("double", "float64")),
    )
}
