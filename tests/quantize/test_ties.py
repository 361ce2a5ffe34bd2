"""Scales at which the two runtimes' additions agree, checked in the runtimes themselves on every pair of operands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgekit.recipe import IoType, Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.params import QuantParams, per_tensor
from edgekit_converters.quantize.quant_plan import Execution, NodePlan, QuantPlan
from edgekit_converters.quantize.ties import MOST_TRIES, STEP, averages_alike, rounds_alike
from edgekit_converters.writers.onnx import OnnxOptions, write_onnx
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite


def encodings_of(first: float, second: float, output: float) -> tuple[QuantParams, QuantParams, QuantParams]:
    return per_tensor(first, 3), per_tensor(second, -7), per_tensor(output, 1)


def sums_of_both_runtimes(folder: Path, first: float, second: float, output: float) -> tuple[np.ndarray, np.ndarray]:
    """All 65,536 sums as int8, by LiteRT's XNNPACK and by ONNX Runtime."""
    builder = GraphBuilder()
    a, b = builder.input("a", "float32", [256, 256]), builder.input("b", "float32", [256, 256])
    builder.output(builder.op("Add", a, b, name="add"), "y")
    hub = builder.build("test")
    values = dict(zip("aby", encodings_of(first, second, output), strict=True))
    plan = QuantPlan(Precision.INT8, values=values, nodes={"add": NodePlan(Execution.INTEGER)})
    write_onnx(hub, plan, folder / "add.onnx", OnnxOptions(io=IoType.UINT8))
    write_tflite(hub, plan, folder / "add.tflite", TfliteOptions(batch=256, io=IoType.INT8))
    operands = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128), indexing="ij")
    interpreter = Interpreter(str(folder / "add.tflite"))
    interpreter.allocate_tensors()
    for detail, operand in zip(interpreter.get_input_details(), operands, strict=True):
        interpreter.set_tensor(detail["index"], operand.astype(np.int8))
    interpreter.invoke()
    litert = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    session = onnxruntime.InferenceSession(folder / "add.onnx")
    unsigned = [(operand + 128).astype(np.uint8) for operand in operands]
    (ort,) = session.run(None, dict(zip("ab", unsigned, strict=True)))
    return litert, (ort.astype(np.int16) - 128).astype(np.int8)


def test_scales_of_simple_ratios_round_differently(tmp_path):
    assert not rounds_alike(*encodings_of(0.02, 0.03, 0.04))
    litert, ort = sums_of_both_runtimes(tmp_path, 0.02, 0.03, 0.04)
    assert (litert != ort).any()


@pytest.mark.parametrize(
    "scales", [(0.02, 0.03, 0.04), (0.0231, 0.0173, 0.0299), (0.011, 0.05, 0.047), (0.03, 0.03, 0.06)]
)
def test_a_range_shrunk_by_a_hair_gives_equal_integers_for_every_pair_of_operands(tmp_path, scales):
    first, second, output = scales
    fitting = (output * (1 - attempt * STEP) for attempt in range(MOST_TRIES))
    shrunk = next(scale for scale in fitting if rounds_alike(*encodings_of(first, second, scale)))
    litert, ort = sums_of_both_runtimes(tmp_path, first, second, shrunk)
    assert np.array_equal(litert, ort)


def test_a_mean_at_a_range_without_ties_is_equal_for_every_sum(tmp_path):
    data, count = per_tensor(0.02, -128), 49
    fitting = (per_tensor(0.01 * (1 - attempt * STEP), -128) for attempt in range(MOST_TRIES))
    output = next(params for params in fitting if averages_alike(data, count, params))
    assert not averages_alike(data, 48, per_tensor(0.01, -128)), "2 / 48 of a sum of 12 is a tie"
    builder = GraphBuilder()
    x = builder.input("x", "float32", [1, 12496, 7, 7])
    builder.output(builder.op("GlobalAveragePool", x, name="mean"), "y")
    hub = builder.build("test")
    plan = QuantPlan(Precision.INT8, values={"x": data, "y": output}, nodes={"mean": NodePlan(Execution.INTEGER)})
    write_onnx(hub, plan, tmp_path / "mean.onnx", OnnxOptions(io=IoType.UINT8))
    write_tflite(hub, plan, tmp_path / "mean.tflite", TfliteOptions(io=IoType.INT8))
    sums = np.arange(12496)  # one channel for each sum of 49 numbers in 0..255
    pixels = (sums[:, None] // count + (np.arange(count) < sums[:, None] % count)).reshape(1, -1, 7, 7)
    interpreter = Interpreter(str(tmp_path / "mean.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], (pixels - 128).astype(np.int8))
    interpreter.invoke()
    litert = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).astype(np.int16) + 128
    (ort,) = onnxruntime.InferenceSession(tmp_path / "mean.onnx").run(None, {"x": pixels.astype(np.uint8)})
    assert np.array_equal(litert, ort)
