"""Load time and memory, measured in processes of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ArtifactError
from edgekit.load_cost import measure_load
from edgekit.protocols import SessionOptions
from edgekit_converters.hub.build import GraphBuilder


def product(path: Path, size: int) -> Path:
    graph = GraphBuilder()
    weight = graph.constant(np.random.default_rng(0).standard_normal((size, size)).astype(np.float32))
    graph.output(graph.op("MatMul", graph.input("x", "float32", (1, size)), weight), "y")
    path.write_bytes(graph.build("test").to_bytes())
    return path


def test_a_larger_file_needs_more_memory_by_about_its_size_and_starts_are_warm_and_cold(tmp_path: Path) -> None:
    small = measure_load(product(tmp_path / "small.onnx", 8), "onnxruntime", SessionOptions(), starts=2)
    large = measure_load(product(tmp_path / "large.onnx", 2048), "onnxruntime", SessionOptions())
    assert large.peak_memory_bytes - small.peak_memory_bytes > 2048 * 2048 * 4
    assert small.start_ns > small.load_ns > 0
    assert (len(small.starts_ns), len(large.starts_ns)) == (2, 1)
    assert small.cold_ns is not None
    assert small.cold_ns > small.load_ns, "a cold start imports the runtime too"
    assert large.cold_ns is None, "cold starts are measured with several"


def test_what_opening_raises_is_raised_here(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ArtifactError, match="is not an ONNX file"):
        measure_load(path, "onnxruntime", SessionOptions())
