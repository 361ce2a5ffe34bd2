"""The runtime: ONNX files by `onnx.reference.ReferenceEvaluator`, which computes every operator as the standard defines it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import ArtifactError, FeedError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Availability, Feeds, PlacedOp, Placement, SessionOptions
from edgekit_runtimes.feeds import verify

DEVICE = "reference"


class ReferenceRuntime:
    """Runtime ``onnx_reference``. Stateless, as every runtime."""

    name = "onnx_reference"
    formats = ("onnx",)

    def probe(self) -> Availability:
        if find_spec("onnx") is None:
            return Availability(False, reason="onnx is not installed", remedy="pip install onnx")
        import onnx

        return Availability(True, onnx.__version__, accelerators=(DEVICE,))

    def open(self, path: Path, options: SessionOptions) -> ReferenceSession:
        _check(options)
        if not path.is_file():
            raise ArtifactError(f"there is no model file {str(path)!r}")
        return ReferenceSession(path)


def _check(options: SessionOptions) -> None:
    """Nothing that was asked for is ignored in silence."""
    for delegate in options.delegates:
        if delegate.name != DEVICE:
            absent = str(delegate.library or delegate.name)
            raise RuntimeUnavailableError(f"onnx_reference has no delegate {absent!r}; it has {DEVICE}")
    if options.threads < 1:
        raise UsageError(f"threads is {options.threads}; expected 1 or more")
    if options.kernels != "default":
        raise UsageError(f"onnx_reference has no {options.kernels!r} kernels; it has the default ones")
    if options.settings:
        raise UsageError(f"onnx_reference has no setting {next(iter(options.settings))!r}; it takes none")


class ReferenceSession:
    """An opened ONNX file."""

    def __init__(self, path: Path) -> None:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx.reference import ReferenceEvaluator

        try:
            self._model = onnx.load(path)
            onnx.checker.check_model(self._model)
            self._evaluator: Any = ReferenceEvaluator(self._model)
        except (DecodeError, onnx.checker.ValidationError, NotImplementedError) as error:
            words = " ".join(str(error).split())
            raise ArtifactError(f"{path} is not an ONNX file that onnx_reference can open: {words}") from error
        self._file = path.name
        constants = {tensor.name for tensor in self._model.graph.initializer}
        self.inputs = tuple(_spec(value) for value in self._model.graph.input if value.name not in constants)
        self.outputs = tuple(_spec(value) for value in self._model.graph.output)

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        if self._evaluator is None:
            raise UsageError(f"the session of {self._file} is closed; open the file again")
        verify(feeds, self.inputs, self._file)
        try:
            outputs = self._evaluator.run(None, dict(feeds))
        except (IndexError, RuntimeError, TypeError, ValueError) as error:  # the operators raise what numpy does
            raise FeedError(f"{self._file} failed on these inputs: {error}") from error
        return {spec.name: np.array(array) for spec, array in zip(self.outputs, outputs, strict=True)}

    def placement(self) -> Placement:
        """Every node of the file: nothing is fused and nothing delegated."""
        dtypes = _dtypes(self._model)
        return Placement(tuple(_placed(node, dtypes) for node in self._model.graph.node))

    def close(self) -> None:
        self._evaluator = None


def _spec(value: Any) -> TensorSpec:
    import onnx

    tensor = value.type.tensor_type
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim)
    return TensorSpec(value.name, str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)), shape)


def _dtypes(model: Any) -> dict[str, str]:
    """numpy's names of the types of all values."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    found |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {name: str(onnx.helper.tensor_dtype_to_np_dtype(kind)) for name, kind in found.items() if kind}


def _placed(node: Any, dtypes: Mapping[str, str]) -> PlacedOp:
    operand = dtypes.get(node.input[0], "unknown") if node.input else "none"
    result = dtypes.get(node.output[0], "unknown")
    integer = all(name in ("int8", "uint8", "int16", "uint16") for name in (operand, result))
    return PlacedOp(node.name or node.output[0], node.op_type, DEVICE, f"{operand} -> {result}", integer)
