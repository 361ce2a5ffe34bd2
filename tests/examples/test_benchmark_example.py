"""The example of the benchmark, in two runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from edgekit_converters.hub.build import GraphBuilder

ROOT = Path(__file__).parents[2]


def test_the_example_draws_and_compares(tmp_path: Path) -> None:
    graph = GraphBuilder()
    data = graph.input("x", "float32", ("batch", 3))
    graph.output(graph.op("MatMul", data, graph.constant(np.eye(3, dtype=np.float32))), "y")
    (tmp_path / "a.onnx").write_bytes(graph.build("test").to_bytes())
    program = (
        f"import runpy; main = runpy.run_path({str(ROOT / 'examples' / 'benchmark.py')!r})['main']; "
        "[main('a.onnx', processes=3, seconds=0.1) for _ in range(2)]"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=120
    )
    assert "a.onnx: " in finished.stdout
    assert "a.onnx, onnxruntime, threads 1: " in finished.stdout
    assert "<svg" in (tmp_path / "bench.html").read_text()
