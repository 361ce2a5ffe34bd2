"""Variational networks that draw their noise inside the graph: every message says what to do instead."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from conversion import Converted, convert

from edgekit_converters.hub.build import GraphBuilder


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """``y = x A + noise``, in float32 in both formats."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    graph = GraphBuilder()
    data = graph.input("x", "float32", ("n", 6))
    mean = graph.op("MatMul", data, graph.constant(rng.normal(size=(6, 4)).astype(np.float32)))
    graph.output(graph.op("Add", mean, graph.op("RandomNormalLike", mean)), "y")
    ir.save(graph.build("test").model, folder / "vae.onnx")
    np.savez(folder / "x.npz", x=rng.normal(size=(32, 6)).astype(np.float32))
    return convert(folder / "vae.onnx", folder / "out", "--precision", "float32", "--evaluate", str(folder / "x.npz"))


def test_the_tflite_file_is_refused_with_the_way_out(converted: Converted) -> None:
    (failure,) = converted.document["failures"]
    assert failure["stage"] == "write tflite"
    assert "RandomNormalLike" in failure["message"]
    assert "mean path" in failure["message"]
    assert "make the noise an input" in failure["message"]


def test_the_report_says_that_the_original_draws_noise_and_blames_no_precision(converted: Converted) -> None:
    notes = converted.document["notes"]
    assert [note for note in notes if "differently every time" in note and "mean path" in note]
    assert not [note for note in notes if "far from the original" in note]
