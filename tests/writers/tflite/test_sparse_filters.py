"""Filters with enough blocks of zeros: a smaller file that answers the same, by the kernel that skips them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit.fallback import fallbacks
from edgekit.protocols import Delegate, SessionOptions
from edgekit.recipe import Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.sparsify.written import zeros_in
from edgekit_converters.writers.tflite.options import TfliteOptions
from edgekit_converters.writers.tflite.write import write_tflite
from edgekit_runtimes.litert import LiteRt


def dense_layers(share: float, size: int = 256, block: int = 4, rows: int = 1) -> Hub:
    """Two dense layers of which ``share`` of the blocks of inputs are zeros."""
    random, graph = np.random.default_rng(0), GraphBuilder()
    value = graph.input("x", "float32", [rows, size])
    for _ in range(2):
        weight = random.standard_normal((size, size)).astype(np.float32)
        kept = random.permutation(size * size // block) >= share * (size * size // block)
        weight *= kept.reshape(size, size // block).repeat(block, axis=1)
        bias = random.standard_normal(size).astype(np.float32)
        value = graph.op("Relu", graph.op("Gemm", value, graph.constant(weight), graph.constant(bias), transB=1))
    graph.output(value, "y")
    return graph.build("test")


def written(hub: Hub, folder: Path) -> Path:
    path = folder / "net.tflite"
    write_tflite(hub, QuantPlan(Precision.FLOAT32), path, TfliteOptions())
    return path


def sparse_tensors(path: Path) -> int:
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    return sum(tensor.sparsity is not None for tensor in model.subgraphs[0].tensors)


def answer(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    return LiteRt().open(path, SessionOptions()).run({"x": x})["y"]


@pytest.mark.parametrize(("share", "size"), [(0.8, 256), (0.95, 256), (0.99, 128), (0.8, 1200)])
def test_it_answers_as_the_dense_file(share: float, size: int, tmp_path: Path) -> None:
    """1200 inputs have more blocks than a byte can number."""
    hub = dense_layers(share, size)
    path = written(hub, tmp_path)
    assert sparse_tensors(path) == 2
    x = np.random.default_rng(1).standard_normal((1, size)).astype(np.float32)
    wanted = hub_session(hub).run({"x": x})["y"]
    np.testing.assert_allclose(answer(path, x), wanted, atol=1e-4 * np.abs(wanted).max())


def test_the_file_holds_only_what_is_there(tmp_path: Path) -> None:
    path = written(dense_layers(0.8, 512), tmp_path)
    counted = zeros_in(path)
    assert counted.zeros / counted.weights == pytest.approx(0.8, abs=0.001)
    assert counted.size_bytes < 0.3 * 4 * counted.weights


@pytest.mark.parametrize(
    "hub",
    [dense_layers(0.6), dense_layers(0.9, block=1), dense_layers(0.9, size=64), dense_layers(0.9, rows=16)],
    ids=["too few zeros", "single weights", "small", "many rows"],
)
def test_what_would_not_be_faster_stays_dense(hub: Hub, tmp_path: Path) -> None:
    assert sparse_tensors(written(hub, tmp_path)) == 0


@pytest.mark.parametrize(
    "delegates", [(), (Delegate.parse("XNNPACK:flags=qs8"),)], ids=["interpreter", "compiled model"]
)
def test_what_is_left_to_the_faster_kernel_on_purpose_is_advised_to_stay(
    delegates: tuple[Delegate, ...], tmp_path: Path
) -> None:
    path = written(dense_layers(0.8), tmp_path)
    left = fallbacks(LiteRt().open(path, SessionOptions(delegates=delegates)).placement(), (Delegate("XNNPACK"),), None)
    assert left is not None
    dense = next(kind for kind in left.kinds if kind.op == "FULLY_CONNECTED")
    assert (dense.count, dense.kernel) == (2, "float32 x sparse float32 -> float32")
    assert dense.why == "XNNPACK computes no sparse float32"
    assert dense.suggestion.startswith("leave it")
