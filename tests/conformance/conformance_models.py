"""Small models with answers that are worked out by hand, as .onnx and .tflite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir

from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import Hub
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

WEIGHTS_A = np.arange(6, dtype=np.float32).reshape(3, 2)
WEIGHTS_B = np.array([[1.0], [-1.0]], np.float32)


def write_models(folder: Path) -> None:
    (folder / "pair.onnx").write_bytes(pair().to_bytes())
    write_tflite(pair(), QuantPlan(Precision.FLOAT32), folder / "pair.tflite", TfliteOptions())
    for hub, name in ((encoded(), "encoded"), (mixed(), "mixed"), (foreign(), "foreign")):
        (folder / f"{name}.onnx").write_bytes(hub.to_bytes())


def pair() -> Hub:
    """``z = a @ WEIGHTS_A`` and ``m = relu(b @ WEIGHTS_B)``: names that sorting would put into another order."""
    graph = GraphBuilder("pair")
    b = graph.input("b", "float32", (1, 2))
    a = graph.input("a", "float32", (1, 3))
    graph.output(graph.op("Gemm", a, graph.constant(WEIGHTS_A)), "z")
    graph.output(graph.op("Relu", graph.op("Gemm", b, graph.constant(WEIGHTS_B))), "m")
    return graph.build("test")


def encoded() -> Hub:
    """A convolution between encodings, with an open batch: ``y`` has the scale .05 and the zero point 100, uint8."""
    graph = GraphBuilder("encoded")
    data = _encoded(graph, graph.input("x", "float32", ("batch", 3, 4, 4)), 2 / 255, 128)
    kernel = np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 3), dtype=np.int8)
    weight = graph.op("DequantizeLinear", graph.constant(kernel), graph.constant(np.float32(0.01)))
    graph.output(_encoded(graph, graph.op("Conv", data, weight), 0.05, 100), "y")
    return graph.build("test")


def _encoded(graph: GraphBuilder, value: ir.Value, scale: float, zero_point: int) -> ir.Value:
    step, zero = graph.constant(np.float32(scale)), graph.constant(np.uint8(zero_point))
    return graph.op("DequantizeLinear", graph.op("QuantizeLinear", value, step, zero), step, zero)


def mixed() -> Hub:
    """An operator that accelerators have no kernel for, between operators that they have."""
    graph = GraphBuilder("mixed")
    kernel = graph.constant(np.random.default_rng(2).normal(size=(4, 3, 3, 3)).astype(np.float32))
    seen = graph.op("Relu", graph.op("Conv", graph.input("x", "float32", (1, 3, 4, 4)), kernel))
    column = graph.op("Unsqueeze", graph.op("Det", seen), graph.constant(np.array([2], np.int64)))
    graph.output(graph.op("Sigmoid", column), "y")
    return graph.build("test")


def foreign() -> Hub:
    """Nothing but an operator that accelerators have no kernel for."""
    graph = GraphBuilder("foreign")
    graph.output(graph.op("Det", graph.input("x", "float32", (1, 2, 2))), "y")
    return graph.build("test")
