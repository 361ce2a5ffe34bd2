"""Run a hub, or an ONNX file, in ONNX Runtime: for calibration, for the float reference, for the tests of the passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import ConversionError, FeedError
from edgekit.protocols import Feeds, Placement
from edgekit_converters.hub.model import Hub


def hub_session(
    hub: Hub, outputs: Sequence[str] = (), optimization: str = "all", threads: int = 1
) -> OnnxRuntimeSession:
    """A session that runs the hub; values named in ``outputs`` are given besides the model's own outputs.

    ``optimization``: "all", "basic" or "none" (ONNX Runtime's graph optimization). Raises ConversionError when ONNX Runtime
    refuses the hub or a name is no value of it.
    """
    own = [value.name for value in hub.model.graph.outputs]
    values = _values(hub, [name for name in outputs if name not in own])
    proto = ir.to_proto(hub.model)
    passed_on: dict[str, NDArray[Any] | None] = {}
    for name, value in values.items():
        if value.producer() is None:
            passed_on[name] = None if value.is_graph_input() or value.const_value is None else value.const_value.numpy()
        else:
            proto.graph.output.append(ir.to_proto(value))
    return OnnxRuntimeSession(proto.SerializeToString(), hub.inputs, optimization, threads, passed_on)


def file_session(path: Path, threads: int = 1) -> OnnxRuntimeSession:
    """A session on an ONNX file as it is; float16 and float64 inputs and outputs are float32 to the caller."""
    return OnnxRuntimeSession(str(path), None, "all", threads, {})


class OnnxRuntimeSession:
    """An `edgekit.protocols.Session` on ONNX Runtime's CPU provider, float32 at its borders."""

    def __init__(
        self,
        model: bytes | str,
        inputs: Sequence[TensorSpec] | None,
        optimization: str,
        threads: int,
        passed_on: Mapping[str, NDArray[Any] | None],
    ) -> None:
        self._session = _open(model, optimization, threads)
        self._passed_on = passed_on
        self._types = {given.name: _numpy_type(given.type) for given in self._session.get_inputs()}
        self.inputs = tuple(inputs or map(_spec, self._session.get_inputs()))
        self.outputs = tuple(map(_spec, self._session.get_outputs()))
        self._names = [spec.name for spec in self.outputs]

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Outputs by name. Raises FeedError for a wrong name, shape or dtype."""
        for spec in self.inputs:
            _check_feed(spec, feeds)
        if extra := set(feeds) - set(self._types):
            raise FeedError(f"there is no input {min(extra)!r}; the inputs are {', '.join(map(repr, self._types))}")
        given = {name: np.asarray(array, self._types[name]) for name, array in feeds.items()}
        results = dict(zip(self._names, map(_as_float32, self._session.run(self._names, given)), strict=True))
        for name, array in self._passed_on.items():
            results[name] = np.array(feeds[name] if array is None else array)
        return results

    def placement(self) -> Placement:
        return Placement((), notes=("a float model in ONNX Runtime on the CPU",))

    def close(self) -> None:
        """Nothing to do: ONNX Runtime frees a session with its last reference."""


def runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises when it can't load or run a model."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    )


def _values(hub: Hub, names: Sequence[str]) -> dict[str, ir.Value]:
    known = ir.convenience.create_value_mapping(hub.model.graph) if names else {}
    for name in names:
        if name not in known:
            raise ConversionError(f"the model has no value named {name!r}")
    return {name: known[name] for name in names}


def _open(model: bytes | str, optimization: str, threads: int) -> Any:
    import onnxruntime as ort

    levels = {
        "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
        "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    }
    options = ort.SessionOptions()
    options.graph_optimization_level = levels[optimization]
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except runtime_errors() as error:
        what = model if isinstance(model, str) else "the model"
        raise ConversionError(f"ONNX Runtime {ort.__version__} can't open {what}: {_one_line(error)}") from error


def _check_feed(spec: TensorSpec, feeds: Feeds) -> None:
    if spec.name not in feeds:
        raise FeedError(f"the input {spec.name!r} is missing; got {', '.join(map(repr, feeds)) or 'nothing'}")
    array = np.asarray(feeds[spec.name])
    if array.dtype != np.dtype(spec.dtype):
        raise FeedError(f"the input {spec.name!r} is {array.dtype}; expected {spec.dtype}")
    fits = array.ndim == len(spec.shape) and all(
        isinstance(want, str) or want == got for want, got in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        raise FeedError(f"the input {spec.name!r} has the shape {array.shape}; expected {spec.shape}")


def _spec(given: Any) -> TensorSpec:
    shape = tuple(dim if isinstance(dim, int) else str(dim or "?") for dim in given.shape)
    found = _numpy_type(given.type)
    return TensorSpec(given.name, "float32" if found in _WIDE_OR_NARROW else found, shape)


def _numpy_type(name: str) -> str:
    inner = name.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64", "string": "object"}.get(inner, inner)


def _as_float32(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if str(array.dtype) in _WIDE_OR_NARROW else array


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


_WIDE_OR_NARROW = frozenset({"float16", "float64"})
