"""A small file for the commands that open one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit_converters.hub.build import GraphBuilder


def write_doubler(path: Path, *, batch: int | str = 1) -> Path:
    """``y = 2 x``, ``x`` (batch, 3), as a matrix product; the output is called "file"."""
    graph = GraphBuilder()
    data = graph.input("x", "float32", (batch, 3))
    graph.output(graph.op("MatMul", data, graph.constant(2 * np.eye(3, dtype=np.float32))), "file")
    path.write_bytes(graph.build("test").to_bytes())
    return path
