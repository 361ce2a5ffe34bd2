"""Where the time of a run goes: every op of a file has a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from runtime_models import write_lookup

from edgekit.errors import MeasurementError
from edgekit.protocols import Profiler, SessionOptions
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import Hub
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite
from edgekit_runtimes import interpreter_times
from edgekit_runtimes.litert import LiteRt
from edgekit_runtimes.onnxruntime import OnnxRuntime


def network() -> Hub:
    """x (1, 64) -> Relu -> 64x64 products and back through 2048 units -> Tanh."""
    rng = np.random.default_rng(0)
    graph = GraphBuilder()
    value = graph.op("Relu", graph.input("x", "float32", (1, 64)))
    for rows, columns in ((64, 64), (64, 2048), (2048, 64)):
        weights = rng.normal(size=(rows, columns), scale=0.05).astype(np.float32)
        value = graph.op("MatMul", value, graph.constant(weights))
    graph.output(graph.op("Tanh", value), "y")
    return graph.build("test")


@pytest.fixture
def tflite(tmp_path: Path) -> Path:
    write_tflite(network(), QuantPlan(Precision.FLOAT32), tmp_path / "m.tflite", TfliteOptions())
    return tmp_path / "m.tflite"


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    ir.save(network().model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_litert_tells_the_time_of_every_op_of_the_file(tflite: Path) -> None:
    times = LiteRt().op_times(tflite, SessionOptions())
    assert [timed.op.op for timed in times] == ["RELU", *["FULLY_CONNECTED"] * 3, "TANH"]
    assert {timed.op.device for timed in times} == {"XNNPACK"}
    assert all(timed.ms >= 0 for timed in times)
    assert sum(timed.ms for timed in times) > 0


def test_onnx_runtime_tells_the_time_of_every_kernel(onnx: Path) -> None:
    times = OnnxRuntime().op_times(onnx, SessionOptions())
    assert [timed.op.op for timed in times] == ["Relu", "MatMul", "MatMul", "MatMul", "Tanh"]
    assert all(timed.ms > 0 for timed in times)


def test_the_file_itself_is_left_alone(tflite: Path) -> None:
    before = tflite.read_bytes()
    LiteRt().op_times(tflite, SessionOptions())
    assert tflite.read_bytes() == before


def test_a_file_of_too_many_ops_has_no_times(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter_times, "MOST_OPS", 4)
    assert LiteRt().op_times(tflite, SessionOptions()) == ()


def test_a_model_that_fails_on_zeros_can_not_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="does not run on zeros"):
        OnnxRuntime().op_times(write_lookup(tmp_path / "m.onnx"), SessionOptions())


def test_every_runtime_here_is_a_profiler() -> None:
    assert isinstance(OnnxRuntime(), Profiler)
    assert isinstance(LiteRt(), Profiler)
