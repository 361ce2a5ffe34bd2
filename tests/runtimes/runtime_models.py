"""Models for the runtimes' own tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.artifact import Artifact, Manifest, Quantization, TensorSpec, sha256_of
from edgekit_converters.hub.build import GraphBuilder

ENCODING = Quantization(0.5, 10)


def write_open_length(path: Path) -> Path:
    """``y = relu(x)``, ``x`` (batch, length)."""
    graph = GraphBuilder()
    graph.output(graph.op("Relu", graph.input("x", "float32", ("batch", "length"))), "y")
    path.write_bytes(graph.build("test").to_bytes())
    return path


def write_integer_relu(path: Path, *, manifest: bool = True, preprocess: dict[str, object] | None = None) -> Path:
    """``y = relu(x)`` on int8 with scale .5 and zero point 10 at both ends."""
    graph = GraphBuilder()
    scale, zero = graph.constant(np.float32(ENCODING.scale)), graph.constant(np.int8(ENCODING.zero_point))
    real = graph.op("DequantizeLinear", graph.input("x", "int8", (1, 4)), scale, zero)
    graph.output(graph.op("QuantizeLinear", graph.op("Relu", real), scale, zero), "y")
    path.write_bytes(graph.build("test").to_bytes())
    if manifest:
        ends = [(TensorSpec(name, "int8", (1, 4), ENCODING),) for name in ("x", "y")]
        described = Manifest(
            path.name, sha256_of(path), path.stat().st_size, "onnx", "int8", ends[0], ends[1], 0, preprocess=preprocess
        )
        Artifact.manifest_path(path).write_text(described.to_json(), "utf-8")
    return path


def write_quantized_matmul(path: Path) -> Path:
    """A float model whose one product ONNX Runtime can compute on integers: Q/DQ around a Gemm."""
    graph = GraphBuilder()
    scale, zero = graph.constant(np.float32(0.1)), graph.constant(np.uint8(128))
    weight = graph.op("DequantizeLinear", graph.constant(np.eye(4, dtype=np.int8)), graph.constant(np.float32(1)))
    data = graph.input("x", "float32", (1, 4))
    encoded = graph.op("DequantizeLinear", graph.op("QuantizeLinear", data, scale, zero), scale, zero)
    product = graph.op("MatMul", encoded, weight)
    graph.output(graph.op("DequantizeLinear", graph.op("QuantizeLinear", product, scale, zero), scale, zero), "y")
    path.write_bytes(graph.build("test").to_bytes())
    return path


def write_lookup(path: Path) -> Path:
    """A model that fails on zeros: it reshapes to a shape that it is fed."""
    graph = GraphBuilder()
    data, shape = graph.input("x", "float32", (1, 4)), graph.input("shape", "int64", (2,))
    graph.output(graph.op("Reshape", data, shape, allowzero=1), "y")
    path.write_bytes(graph.build("test").to_bytes())
    return path
