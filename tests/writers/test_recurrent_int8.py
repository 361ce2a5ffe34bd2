"""Recurrent layers with int8 weights: close to float, and the same integers in both formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from recurrent_models import recurrent

from edgekit.recipe import Precision, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.plan import plan
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.quantize.scheme import scheme
from edgekit_converters.writers.onnx import OnnxOptions, write_onnx
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

Arrays = dict[str, NDArray[Any]]
CPU = Target("cpu", "this machine")
SIZES = {"inputs": 24, "units": 32, "steps": 12}


def planned(hub: Hub, precision: Precision = Precision.INT8) -> QuantPlan:
    recipe = Recipe(precision)
    return plan(hub, recipe, CPU, scheme(hub, recipe, CPU), {})


def feeds_of(hub: Hub) -> Arrays:
    random = np.random.default_rng(3)
    return {spec.name: random.standard_normal(spec.shape).astype(np.float32) for spec in hub.inputs}


def onnx_outputs(path: Path, feeds: Arrays) -> Arrays:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def tflite_outputs(path: Path, feeds: Arrays) -> Arrays:
    outputs: Arrays = Interpreter(model_path=str(path)).get_signature_runner()(**feeds)
    return outputs


def decibels(expected: Arrays, found: Arrays) -> float:
    assert list(expected) == sorted(found)
    error = sum(float(np.square(expected[name] - found[name]).sum()) for name in expected)
    return 10 * float(np.log10(sum(float(np.square(array).sum()) for array in expected.values()) / error))


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize(
    ("kind", "settings"), [("RNN", {}), ("LSTM", {}), ("GRU", {}), ("GRU", {"linear_before_reset": 1})]
)
def test_int8_is_close_to_float(kind: str, settings: dict[str, Any], direction: str, tmp_path: Path) -> None:
    hub = normalize(recurrent(kind, direction=direction, states=True, **SIZES, **settings))
    feeds = feeds_of(hub)
    expected = hub_session(hub).run(feeds)
    write_onnx(hub, planned(hub), tmp_path / "m.onnx", OnnxOptions())
    write_tflite(hub, planned(hub), tmp_path / "m.tflite", TfliteOptions())
    assert decibels(expected, onnx_outputs(tmp_path / "m.onnx", feeds)) > 34
    assert decibels(expected, tflite_outputs(tmp_path / "m.tflite", feeds)) > 34


def test_an_lstm_runs_on_integers_in_onnx_runtime(tmp_path: Path) -> None:
    hub = normalize(recurrent("LSTM", **SIZES))
    write_onnx(hub, planned(hub), tmp_path / "m.onnx", OnnxOptions())
    (node,) = onnx.load(tmp_path / "m.onnx").graph.node
    assert (node.op_type, node.domain) == ("DynamicQuantizeLSTM", "com.microsoft")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_portable_form_has_standard_operators_only(kind: str, tmp_path: Path) -> None:
    hub = normalize(recurrent(kind, **SIZES))
    write_onnx(hub, planned(hub), tmp_path / "m.onnx", OnnxOptions(contrib_ops=False))
    model = onnx.load(tmp_path / "m.onnx")
    assert [entry.domain for entry in model.opset_import] == [""]
    assert {node.op_type for node in model.graph.node} == {"Cast", "Mul", kind}
    feeds = feeds_of(hub)
    assert decibels(hub_session(hub).run(feeds), onnx_outputs(tmp_path / "m.onnx", feeds)) > 36


def test_both_files_hold_the_same_integers(tmp_path: Path) -> None:
    hub = normalize(recurrent("LSTM", **SIZES))
    write_onnx(hub, planned(hub), tmp_path / "m.onnx", OnnxOptions())
    write_tflite(hub, planned(hub), tmp_path / "m.tflite", TfliteOptions())
    model = onnx.load(tmp_path / "m.onnx")
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    in_onnx = sorted(a[0].T.tobytes() for a in arrays if a.dtype == np.int8 and a.ndim == 3)
    assert in_onnx == sorted(array.tobytes() for array in int8_constants(tmp_path / "m.tflite"))


def int8_constants(path: Path) -> list[NDArray[np.int8]]:
    interpreter = Interpreter(model_path=str(path))
    details = [entry for entry in interpreter.get_tensor_details() if entry["dtype"] == np.int8]
    return [interpreter.get_tensor(entry["index"]) for entry in details]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_float16_is_closer_still(kind: str, tmp_path: Path) -> None:
    hub = normalize(recurrent(kind, **SIZES))
    feeds = feeds_of(hub)
    halved = planned(hub, Precision.FLOAT16)
    write_onnx(hub, halved, tmp_path / "m.onnx", OnnxOptions())
    write_tflite(hub, halved, tmp_path / "m.tflite", TfliteOptions())
    expected = hub_session(hub).run(feeds)
    assert decibels(expected, onnx_outputs(tmp_path / "m.onnx", feeds)) > 60
    assert decibels(expected, tflite_outputs(tmp_path / "m.tflite", feeds)) > 60
