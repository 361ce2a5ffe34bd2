"""Files timed side by side, as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from in_process import InProcess
from made_clock import scripted_sampling

from edgekit.artifact import Quantization, TensorSpec
from edgekit.benchmark import benchmark, contender
from edgekit.errors import ArtifactError, FeedError
from edgekit.example_feeds import example_feeds
from edgekit.latency import Timing
from edgekit_converters.hub.build import GraphBuilder

QUICK = Timing(min_seconds=0.1, warm_up_seconds=0.3)


def products(path: Path, count: int) -> Path:
    """``count`` matrix products of 256 x 256 in a row."""
    graph = GraphBuilder()
    weight = graph.constant(np.eye(256, dtype=np.float32))
    value = graph.input("x", "float32", ("batch", 256))
    for _ in range(count):
        value = graph.op("Tanh", graph.op("MatMul", value, weight))
    graph.output(value, "y")
    path.write_bytes(graph.build("test").to_bytes())
    return path


def test_the_slower_file_has_the_larger_ratio_to_the_first(tmp_path: Path) -> None:
    times_ns = {"small.onnx": 2_000_000, "large.onnx": 7_000_000}
    place = InProcess({"edgekit.benchmark:sample_here": scripted_sampling(lambda file: times_ns[file.path.name])})
    files = [products(tmp_path / name, 1) for name in times_ns]
    one, other = benchmark([contender(file) for file in files], QUICK, processes=3, place=place).results
    assert (one.ratio.value, other.ratio.value) == (1.0, 3.5)
    assert (one.latency.p50_ns.value, other.latency.p50_ns.value) == (2_000_000, 7_000_000)
    assert other.throughput.value == pytest.approx(1e9 / 7_000_000)
    assert place.calls.count("edgekit.benchmark:sample_here") == 3


def test_files_are_run_in_processes_of_their_own(tmp_path: Path) -> None:
    files = [products(tmp_path / "small.onnx", 2), products(tmp_path / "large.onnx", 80)]
    found = benchmark([contender(file) for file in files], QUICK)
    one, other = found.results
    assert (one.ratio.value, one.runtime, one.threads) == (1.0, "onnxruntime", 1)
    assert other.ratio.low <= other.ratio.value <= other.ratio.high
    assert min(one.latency.runs, other.latency.runs) > 0
    assert one.size_bytes == files[0].stat().st_size
    assert one.load.peak_memory_bytes > 10_000_000
    assert found.before.cores >= 1
    assert one.latency.samples_ns == ()


def test_feeds_given_are_those_that_are_run(tmp_path: Path) -> None:
    wrong = contender(products(tmp_path / "m.onnx", 1), feeds={"x": np.zeros((1, 5), np.float32)})
    with pytest.raises(FeedError, match=r"has shape \(1, 5\)"):
        benchmark([wrong], QUICK)


def test_a_missing_file_is_an_error_before_anything_is_timed(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="there is no model file"):
        contender(tmp_path / "m.onnx")


def test_example_inputs_have_the_files_dtypes_and_are_the_same_each_time() -> None:
    specs = (
        TensorSpec("real", "float32", ("batch", 500)),
        TensorSpec("encoded", "int8", (1, 2000), Quantization(0.1, 3)),
        TensorSpec("index", "int64", (1, 7)),
        TensorSpec("mask", "bool", (2, 2)),
    )
    feeds = example_feeds(specs)
    assert [(array.dtype.name, array.shape) for array in feeds.values()] == [
        ("float32", (1, 500)),
        ("int8", (1, 2000)),
        ("int64", (1, 7)),
        ("bool", (2, 2)),
    ]
    assert abs(feeds["real"].mean()) < 0.2
    assert (feeds["encoded"].min(), feeds["encoded"].max()) == (-128, 127)
    assert not feeds["index"].any()
    np.testing.assert_array_equal(feeds["real"], example_feeds(specs)["real"])
