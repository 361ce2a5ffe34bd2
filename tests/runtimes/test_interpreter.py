"""What is the TFLite interpreter's own: kernels, names of foreign files, state, shapes that follow the feeds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.artifact import Quantization
from edgekit.errors import FeedError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Delegate, SessionOptions
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite
from edgekit_runtimes.interpreter import InterpreterSession
from edgekit_runtimes.litert import LiteRt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    graph = GraphBuilder()
    data = graph.input("x", "float32", (1, 8, 8, 3))
    graph.output(graph.op("Relu", data), "y")
    write_tflite(graph.build("test"), QuantPlan(Precision.FLOAT32), tmp_path / "m.tflite", TfliteOptions())
    return tmp_path / "m.tflite"


@pytest.mark.parametrize(
    ("kernels", "device"), [("default", "XNNPACK"), ("builtin", "builtin"), ("reference", "builtin")]
)
def test_kernels_can_be_chosen_and_are_seen_in_the_placement(path: Path, kernels: str, device: str) -> None:
    session = LiteRt().open(path, SessionOptions(kernels=kernels))
    placement = session.placement()
    assert {op.device for op in placement.ops} == {device}
    assert placement.partitions == (1 if device == "XNNPACK" else 0)
    assert session.run({"x": np.full((1, 8, 8, 3), -1, np.float32)})["y"].max() == 0


def test_xnnpack_can_be_asked_for_but_not_beside_other_kernels(path: Path) -> None:
    LiteRt().open(path, SessionOptions(delegates=(Delegate("XNNPACK"),))).close()
    with pytest.raises(UsageError, match="run without a delegate"):
        LiteRt().open(path, SessionOptions(delegates=(Delegate("XNNPACK"),), kernels="reference"))


def test_an_unknown_delegate_is_an_error(path: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match="no delegate 'warp' here; it has XNNPACK"):
        LiteRt().open(path, SessionOptions(delegates=(Delegate("warp"),)))


class FakeInterpreter:
    """Stands in for files that no writer here makes: TensorFlow's tensor names, open shapes, variables."""

    def __init__(self, name: str, signature: tuple[int, ...], ops: tuple[str, ...] = ("ADD",)) -> None:
        self.calls: list[str] = []
        self._interpreter, self._delegates = self, []
        self._name, self._signature, self._ops = name, signature, ops
        self._shape = [max(dim, 1) for dim in signature]
        self._value: NDArray[Any] = np.zeros(self._shape, np.float32)

    def _details(self, name: str) -> list[Mapping[str, Any]]:
        shapes = {"shape": np.array(self._shape), "shape_signature": np.array(self._signature)}
        return [{"name": name, "index": 0, "dtype": np.float32, "quantization": (0.0, 0), **shapes}]

    def get_input_details(self) -> list[Mapping[str, Any]]:
        return self._details(self._name)

    def get_output_details(self) -> list[Mapping[str, Any]]:
        return self._details("StatefulPartitionedCall:0")

    def get_tensor_details(self) -> list[Mapping[str, Any]]:
        return self._details(self._name)

    def _get_ops_details(self) -> list[Mapping[str, Any]]:
        return [{"op_name": op, "inputs": [0], "outputs": [0]} for op in self._ops]

    def _get_full_signature_list(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        return {}

    def allocate_tensors(self) -> None:
        self.calls.append("allocate")
        if 13 in self._shape:
            raise RuntimeError(
                "tensorflow/lite/kernels/add.cc:13 sizes of 13 bring bad luck\nNode 0 failed to prepare."
            )

    def resize_tensor_input(self, index: int, shape: tuple[int, ...], strict: bool = False) -> None:
        self._shape = list(shape)
        self._value = np.zeros(shape, np.float32)

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self._value = value

    def get_tensor(self, index: int) -> NDArray[Any]:
        return self._value.copy()

    def tensor(self, tensor_index: int) -> Callable[[], NDArray[Any]]:
        return lambda: self._value

    def invoke(self) -> None:
        self.calls.append("invoke")

    Invoke = invoke

    def reset_all_variables(self) -> None:
        self.calls.append("reset")


@pytest.mark.parametrize(("found", "name"), [("serving_default_x:0", "x"), ("input_1", "input_1"), ("a:b", "a:b")])
def test_tensorflows_trimmings_are_cut_from_names(found: str, name: str) -> None:
    session = InterpreterSession(FakeInterpreter(found, (1, 3)), Path("m.tflite"))
    assert session.inputs[0].name == name
    assert session.outputs[0].name == "StatefulPartitionedCall"


def test_an_open_batch_stays_as_the_file_is_allocated() -> None:
    session = InterpreterSession(FakeInterpreter("x", (-1, 3)), Path("m.tflite"))
    assert session.inputs[0].shape == (1, 3)
    with pytest.raises(FeedError, match="batch is fixed to 1"):
        session.run({"x": np.zeros((2, 3), np.float32)})


def test_other_open_dimensions_follow_the_feeds_and_allocate_once_a_size() -> None:
    interpreter = FakeInterpreter("x", (1, -1))
    session = InterpreterSession(interpreter, Path("m.tflite"))
    assert session.inputs[0].shape == (1, "dim1")
    interpreter.calls.clear()
    for length in (5, 5, 7):
        assert session.run({"x": np.zeros((1, length), np.float32)})["StatefulPartitionedCall"].shape == (1, length)
    assert interpreter.calls == ["allocate", "invoke", "invoke", "allocate", "invoke"]


def test_a_size_that_the_file_cannot_take_is_told_and_the_session_works_on() -> None:
    session = InterpreterSession(FakeInterpreter("x", (1, -1)), Path("m.tflite"))
    session.run({"x": np.zeros((1, 5), np.float32)})
    with pytest.raises(FeedError, match=r"cannot take the shapes x \(1, 13\): Node 0 failed to prepare"):
        session.run({"x": np.zeros((1, 13), np.float32)})
    assert session.run({"x": np.ones((1, 5), np.float32)})["StatefulPartitionedCall"].sum() == 5


def test_state_is_cleared_before_each_run_of_a_recurrent_file() -> None:
    interpreter = FakeInterpreter("x", (1, 3), ops=("UNIDIRECTIONAL_SEQUENCE_LSTM",))
    session = InterpreterSession(interpreter, Path("m.tflite"))
    interpreter.calls.clear()
    session.run({"x": np.zeros((1, 3), np.float32)})
    assert interpreter.calls == ["reset", "invoke"]


def test_open_dimensions_are_bound_to_sizes_and_keep_them() -> None:
    session = InterpreterSession(FakeInterpreter("x", (1, -1)), Path("m.tflite"))
    with pytest.raises(FeedError, match=r"has the open shape \(1, 'dim1'\); give its sizes"):
        session.bind()
    bound = session.bind({"x": (1, 5)})
    assert bound.inputs["x"].shape == (1, 5)
    bound.run()
    with pytest.raises(UsageError, match="is bound to shapes"):
        session.run({"x": np.zeros((1, 7), np.float32)})


@pytest.mark.data
def test_a_foreign_int8_file_has_its_encodings() -> None:
    folder = os.environ.get("EDGEKIT_DATA")
    if not folder:
        pytest.skip("EDGEKIT_DATA names no folder of real data")
    session = LiteRt().open(Path(folder) / "mlperf_tiny" / "pretrainedResnet_quant.tflite", SessionOptions())
    assert session.inputs[0].quantization == Quantization(1.0, -128)
    assert session.outputs[0].quantization == Quantization(0.00390625, -128)
    placement = session.placement()
    assert placement.partitions == 2  # the average pooling between them has no XNNPACK kernel
    assert {op.op for op in placement.ops if op.device == "builtin"} == {"AVERAGE_POOL_2D", "SOFTMAX"}
    assert all(op.integer for op in placement.ops)
