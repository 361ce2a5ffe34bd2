"""One op in a TFLite file against the same op in ONNX Runtime: what the tests of the writer's ops share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.recipe import Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Fixed:
    """An input of a case that is a constant of the model."""

    array: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One node: arrays become model inputs, `Fixed` ones constants, None an omitted input."""

    op: str
    inputs: tuple[NDArray[Any] | Fixed | None, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1

    def __str__(self) -> str:
        shapes = "x".join(_shown(item) for item in self.inputs)
        settings = ",".join(f"{name}={value}" for name, value in self.attributes.items())
        return f"{self.op}-{shapes}-{settings}".rstrip("-")

    def hub(self) -> tuple[Hub, Arrays]:
        graph = GraphBuilder()
        feeds: Arrays = {}
        values = []
        for index, item in enumerate(self.inputs):
            if isinstance(item, np.ndarray):
                feeds[f"x{index}"] = item
                values.append(graph.input(f"x{index}", item.dtype.name, item.shape))
            else:
                values.append(None if item is None else graph.constant(item.array))
        for index, value in enumerate(graph.ops(self.op, *values, outputs=self.outputs, **self.attributes)):
            graph.output(value, f"y{index}")
        return graph.build("test"), feeds


def case(op: str, *inputs: NDArray[Any] | Fixed | None, outputs: int = 1, **attributes: Any) -> Case:
    return Case(op, inputs, attributes, outputs)


def fixed(array: ArrayLike, dtype: str = "int64") -> Fixed:
    return Fixed(np.asarray(array, dtype))


def floats(*shape: int, low: float = -3.0, high: float = 3.0, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(np.float32)


def integers(*shape: int, low: int = -9, high: int = 9, dtype: str = "int64", seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng([seed, *shape]).integers(low, high, shape).astype(dtype)


def masks(*shape: int, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng([seed, *shape]).random(shape) < 0.5


def assert_equal_outputs(hub: Hub, feeds: Arrays, folder: Path, tolerance: float = 1e-5) -> None:
    """The float TFLite file answers as ONNX Runtime does, on XNNPACK and on the built-in kernels."""
    expected = onnxruntime_outputs(hub, feeds)
    path = folder / "model.tflite"
    write_tflite(hub, QuantPlan(Precision.FLOAT32), path, TfliteOptions())
    for kernels in ("default", "reference"):
        found = litert_outputs(path, feeds, kernels)
        for name, array in expected.items():
            assert found[name].dtype == array.dtype, (name, kernels)
            assert found[name].shape == array.shape, (name, kernels)
            np.testing.assert_allclose(
                found[name], array, rtol=tolerance, atol=tolerance, err_msg=f"{name} with {kernels} kernels"
            )


def onnxruntime_outputs(hub: Hub, feeds: Arrays) -> Arrays:
    import onnxruntime

    session = onnxruntime.InferenceSession(hub.to_bytes(), providers=["CPUExecutionProvider"])
    names = [output.name for output in hub.outputs]
    return dict(zip(names, session.run(names, feeds), strict=True))


def litert_outputs(path: Path, feeds: Arrays, kernels: str = "default") -> Arrays:
    interpreter = open_interpreter(path, kernels)
    runner = interpreter.get_signature_runner()
    outputs: Arrays = runner(**feeds)
    return outputs


def op_names(path: Path) -> list[str]:
    """Builtins in the file, in order, without the delegate."""
    return [op["op_name"] for op in open_interpreter(path, "reference")._get_ops_details()]


def open_interpreter(path: Path, kernels: str) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.AUTO if kernels == "default" else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=resolver, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _shown(item: NDArray[Any] | Fixed | None) -> str:
    if item is None:
        return "none"
    array = item.array if isinstance(item, Fixed) else item
    return f"{array.dtype.name}{_shape(array.shape)}{'c' if isinstance(item, Fixed) else ''}"


def _shape(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
