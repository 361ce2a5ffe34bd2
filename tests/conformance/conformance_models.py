"""Small models with answers that are worked out by hand, as .onnx and .tflite."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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


def pair() -> Hub:
    """``z = a @ WEIGHTS_A`` and ``m = relu(b @ WEIGHTS_B)``: names that sorting would put into another order."""
    graph = GraphBuilder("pair")
    b = graph.input("b", "float32", (1, 2))
    a = graph.input("a", "float32", (1, 3))
    graph.output(graph.op("Gemm", a, graph.constant(WEIGHTS_A)), "z")
    graph.output(graph.op("Relu", graph.op("Gemm", b, graph.constant(WEIGHTS_B))), "m")
    return graph.build("test")
