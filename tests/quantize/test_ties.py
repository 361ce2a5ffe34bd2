"""Scales at which the two runtimes' additions agree, checked in the runtimes themselves on every pair of operands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgekit.recipe import IoType, Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.params import per_tensor
from edgekit_converters.quantize.quant_plan import Execution, NodePlan, QuantPlan
from edgekit_converters.quantize.ties import rounds_alike, shrunk_until_alike
from edgekit_converters.writers.onnx import OnnxOptions, write_onnx
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite


def sums_of_both_runtimes(folder: Path, first: float, second: float, output: float) -> tuple[np.ndarray, np.ndarray]:
    """All 65,536 sums as int8, by LiteRT's XNNPACK and by ONNX Runtime."""
    builder = GraphBuilder()
    a, b = builder.input("a", "float32", [256, 256]), builder.input("b", "float32", [256, 256])
    builder.output(builder.op("Add", a, b, name="add"), "y")
    hub = builder.build("test")
    values = {"a": per_tensor(first, 3), "b": per_tensor(second, -7), "y": per_tensor(output, 1)}
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


def test_scales_of_simple_ratios_round_differently_and_a_shrunk_output_alike(tmp_path):
    first, second, output = 0.02, 0.03, 0.04
    assert not rounds_alike(first, second, output)
    litert, ort = sums_of_both_runtimes(tmp_path, first, second, output)
    assert (litert != ort).any()
    factor = shrunk_until_alike(first, second, output)
    assert 0.98 < factor < 1.0
    litert, ort = sums_of_both_runtimes(tmp_path, first, second, output * factor)
    assert np.array_equal(litert, ort)


@pytest.mark.parametrize("seed", range(4))
def test_a_shrunk_output_of_any_scales_gives_equal_integers(tmp_path, seed):
    first, second, output = np.random.default_rng(seed).uniform(0.01, 0.1, 3)
    factor = shrunk_until_alike(first, second, output)
    assert rounds_alike(first, second, output * factor)
    litert, ort = sums_of_both_runtimes(tmp_path, first, second, output * factor)
    assert np.array_equal(litert, ort)
