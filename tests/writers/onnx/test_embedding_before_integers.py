"""An int8 embedding that a convolution on integers reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from edgekit.datasets import open_dataset
from edgekit.protocols import Silent
from edgekit.recipe import Recipe
from edgekit.target import Target
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.quant_plan import Execution
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.writers.write import write

CPU = Target("cpu", "this machine")


def test_the_rows_are_quantized_for_the_convolution(tmp_path: Path) -> None:
    graph, random = GraphBuilder(), np.random.default_rng(0)
    table = graph.constant(random.standard_normal((400, 16)).astype(np.float32), "table")
    rows = graph.op("Gather", table, graph.input("x", "int32", ("batch", 12)), axis=0, name="embedding")
    kernel = graph.constant((0.2 * random.standard_normal((8, 16, 3))).astype(np.float32), "kernel")
    data = graph.op("Transpose", rows, perm=[0, 2, 1])
    graph.output(graph.op("Relu", graph.op("Conv", data, kernel, name="conv", kernel_shape=[3])), "y")
    hub = normalize(graph.build("test"))
    x = random.integers(0, 400, (64, 12)).astype(np.int32)
    np.savez(tmp_path / "x.npz", x=x)
    quantized = quantize(hub, Recipe(), CPU, open_dataset(str(tmp_path / "x.npz"), hub.inputs), Silent())
    assert quantized.plan.execution("embedding") is Execution.WEIGHT_ONLY
    assert quantized.plan.execution("conv") is Execution.INTEGER
    write("onnx", quantized.hub, quantized.plan, tmp_path / "m.onnx", Recipe(), CPU, {})
    (found,) = onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).run(None, {"x": x})
    expected = hub_session(hub).run({"x": x})["y"]
    assert 10 * np.log10((expected**2).sum() / ((expected - found) ** 2).sum()) > 35
