"""A small int8 TFLite file, without float operators or with a softmax in float."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.cli.border import run
from edgekit_converters.hub.build import GraphBuilder


def write_network(folder: Path, *options: str) -> Path:
    """Convolution, softmax; ``options`` go to edgekit convert."""
    random = np.random.default_rng(7)
    graph = GraphBuilder("net")
    data = graph.input("x", "float32", (1, 3, 8, 8))
    weights = graph.constant(random.normal(size=(4, 3, 3, 3)).astype(np.float32))
    graph.output(graph.op("Softmax", graph.op("Conv", data, weights, pads=[1, 1, 1, 1]), axis=1), "y")
    (folder / "net.onnx").write_bytes(graph.build("test").to_bytes())
    np.savez(folder / "in.npz", x=random.normal(size=(8, 3, 8, 8)).astype(np.float32))
    command = ["convert", str(folder / "net.onnx"), "--calibrate", str(folder / "in.npz"), "-o", str(folder)]
    assert run([*command, "--to", "tflite", "--no-checks", "--json", *options]) == 0
    return folder / "net.int8.tflite"
