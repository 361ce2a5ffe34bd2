"""ONNX Runtime: ONNX files on the CPU or on the execution providers that are asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import Artifact, Manifest, Quantization, TensorSpec
from edgekit.errors import ArtifactError, FeedError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Availability, Feeds, Placement, SessionOptions, TimedOp
from edgekit_runtimes.feeds import Expected, expectations, verify
from edgekit_runtimes.onnxruntime_placement import place
from edgekit_runtimes.onnxruntime_times import op_times

CPU = "CPUExecutionProvider"


class OnnxRuntime:
    """Runtime ``onnxruntime``. A delegate is an execution provider: "CUDAExecutionProvider", or "cuda" for short."""

    name = "onnxruntime"
    formats = ("onnx",)

    def probe(self) -> Availability:
        if find_spec("onnxruntime") is None:
            return Availability(False, reason="onnxruntime is not installed", remedy="pip install 'edgekit-ml[onnx]'")
        try:
            import onnxruntime
        except ImportError as error:
            return Availability(
                False, _version(), f"importing onnxruntime fails: {error}", "pip install 'edgekit-ml[onnx]'"
            )
        return Availability(True, onnxruntime.__version__, accelerators=_providers())

    def open(self, path: Path, options: SessionOptions) -> OnnxSession:
        availability = self.probe()
        if not availability.available:
            raise RuntimeUnavailableError(
                f"onnxruntime can't be used: {availability.reason}. Install it with: {availability.remedy}"
            )
        if not path.is_file():
            raise ArtifactError(f"there is no model file {str(path)!r}")
        return OnnxSession(
            path,
            options,
            _chosen(
                [str(delegate.library or delegate.name) for delegate in options.delegates], availability.accelerators
            ),
        )

    def op_times(self, path: Path, options: SessionOptions) -> tuple[TimedOp, ...]:
        session = self.open(path, options)
        return op_times(path, options, session.providers, session.inputs)


class OnnxSession:
    """An ONNX file, opened on ``providers`` in order of preference; `placement` tells what they left to the CPU."""

    def __init__(self, path: Path, options: SessionOptions, providers: Sequence[str]) -> None:
        self._path, self._options, self.providers = path, options, tuple(providers)
        self._session: Any = open_native(path, options, providers)
        encodings = _encodings(path)
        self.inputs = tuple(_spec(entry, encodings, path) for entry in self._session.get_inputs())
        self.outputs = tuple(_spec(entry, encodings, path) for entry in self._session.get_outputs())
        self._expected = expectations(self.inputs)
        self._names = [spec.name for spec in self.outputs]
        self._errors = native_errors()

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

    def placement(self) -> Placement:
        """Runs the model once more on zeros in a session of its own that records every kernel."""
        return place(self._path, self._options, self.providers, self.inputs)

    def close(self) -> None:
        """Free the session; a later run raises UsageError."""
        self._session = None

    def _accept(self, feeds: Feeds) -> None:
        """Explain what is wrong, or remember shapes that fit the open dimensions."""
        if self._session is None:
            raise UsageError(f"the session of {self._path.name} is closed; open the file again")
        verify(feeds, self.inputs, self._path.name)
        self._expected = tuple(Expected(e.name, e.dtype, feeds[e.name].shape) for e in self._expected)


def open_native(path: Path, options: SessionOptions, providers: Sequence[str], profile: str | None = None) -> Any:
    """ONNX Runtime's own session, with nothing left to fall back in silence. ``profile``: prefix of the record of a run."""
    import onnxruntime

    settings = _native_options(options)
    if profile is not None:
        settings.enable_profiling, settings.profile_file_prefix = True, profile
        settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=[*providers])
    except native_errors() as error:
        raise ArtifactError(f"{path} is not an ONNX file that ONNX Runtime can open: {one_line(error)}") from error
    session.disable_fallback()
    if missing := [provider for provider in providers if provider not in session.get_providers()]:
        raise RuntimeUnavailableError(
            f"the execution provider {missing[0]} is built into this ONNX Runtime but did not start; "
            "its driver or libraries are missing. Leave it out to run on the CPU."
        )
    return session


def native_errors() -> tuple[type[Exception], ...]:
    """The exceptions of ONNX Runtime's native part, which share no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    found = [kind for kind in vars(native).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*found, RuntimeError, ValueError)


def one_line(error: Exception) -> str:
    """The message without its error-code prefix and line breaks."""
    return " ".join(str(error).split("] : ", 1)[-1].split())


def _native_options(options: SessionOptions) -> Any:
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    known = {"all": levels.ORT_ENABLE_ALL, "basic": levels.ORT_ENABLE_BASIC, "none": levels.ORT_DISABLE_ALL}
    if options.optimization not in known:
        raise UsageError(f"optimization is {options.optimization!r}; expected one of: {', '.join(known)}")
    if options.threads < 1:
        raise UsageError(f"threads is {options.threads}; expected 1 or more")
    if options.kernels != "default":
        raise UsageError(f"ONNX Runtime has no {options.kernels!r} kernels; it has the default ones")
    native = onnxruntime.SessionOptions()
    native.intra_op_num_threads, native.inter_op_num_threads = options.threads, 1
    native.graph_optimization_level = known[options.optimization]
    native.log_severity_level = 3
    if options.threads == 1:
        native.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for key, value in options.settings.items():
        native.add_session_config_entry(key, value)
    return native


def _providers() -> tuple[str, ...]:
    """Execution providers of the installed build that compute on this machine (Azure's calls a remote service)."""
    import onnxruntime

    return tuple(name for name in onnxruntime.get_available_providers() if name != "AzureExecutionProvider")


def _chosen(delegates: Sequence[str], available: Sequence[str]) -> tuple[str, ...]:
    """Full provider names for ``delegates``; the CPU always comes last."""
    full = {name.lower(): name for name in available}
    full |= {name.lower().removesuffix("executionprovider"): name for name in available}
    chosen = []
    for delegate in delegates:
        if delegate.lower() not in full:
            raise RuntimeUnavailableError(
                f"ONNX Runtime {_version()} here has no execution provider {delegate!r}; it has {', '.join(available)}. "
                "Install the build of ONNX Runtime that brings it (docs/runtimes.md), or leave it out to run on the CPU."
            )
        chosen.append(full[delegate.lower()])
    return (*(name for name in chosen if name != CPU), CPU)


def _version() -> str:
    """The installed version; builds with other providers come under other distribution names."""
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return ""


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
