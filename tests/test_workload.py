"""What one timed call does: batches and streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit import registry
from edgekit.artifact import TensorSpec
from edgekit.errors import MeasurementError
from edgekit.protocols import Feeds, Placement, SessionOptions
from edgekit.workload import BURST_NS, Workload, batched, open_work
from edgekit_converters.hub.build import GraphBuilder


class Counting:
    """A runtime whose sessions note the batches they were given."""

    name, formats = "counting", ("onnx",)

    def __init__(self, batch: int | str = "batch") -> None:
        self.specs = (TensorSpec("x", "float32", (batch, 3)),)
        self.batches: list[list[int]] = []
        self.closed = 0

    def open(self, path: Path, options: SessionOptions) -> Counting:
        self.batches.append([])
        opened = Counting()
        opened.specs, opened.batches = self.specs, [self.batches[-1]]
        opened.close = self._close  # type: ignore[method-assign]
        return opened

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self.specs

    outputs = inputs

    def run(self, feeds: Feeds) -> dict[str, np.ndarray]:
        self.batches[0].append(len(feeds["x"]))
        return {}

    def placement(self) -> Placement:
        return Placement(())

    def probe(self) -> None: ...

    def close(self) -> None: ...

    def _close(self) -> None:
        self.closed += 1


def test_a_query_is_one_run_of_the_files_own_batch() -> None:
    runtime = Counting()
    work = open_work(Path("a.onnx"), runtime, SessionOptions(), Workload())  # type: ignore[arg-type]
    work.call()
    assert (runtime.batches, work.runs, work.samples) == ([[1]], 1, 1)


def test_a_batch_repeats_the_first_sample() -> None:
    feeds = {"x": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)}
    found = batched(feeds, (TensorSpec("x", "float32", ("batch", 2)),), 3, Path("a.onnx"))
    np.testing.assert_array_equal(found["x"], [[1, 2]] * 3)


def test_a_batch_that_the_file_has_not_is_refused() -> None:
    with pytest.raises(MeasurementError, match=r"takes 1 sample\(s\) a run: its input x has a fixed first axis"):
        open_work(Path("a.tflite"), Counting(1), SessionOptions(), Workload(batch=8))  # type: ignore[arg-type]


def test_every_stream_runs_equally_often_in_a_session_of_its_own() -> None:
    runtime = Counting()
    work = open_work(Path("a.onnx"), runtime, SessionOptions(), Workload(batch=2, streams=3))  # type: ignore[arg-type]
    before = [len(runs) for runs in runtime.batches]
    work.call()
    assert [len(runs) - earlier for runs, earlier in zip(runtime.batches, before, strict=True)] == [work.runs] * 3
    assert {batch for runs in runtime.batches for batch in runs} == {2}
    assert work.samples == 6
    work.close()
    assert runtime.closed == 3


def test_a_failing_stream_is_heard(tmp_path: Path) -> None:
    graph = GraphBuilder()
    graph.output(graph.op("Exp", graph.input("x", "float32", ("batch", 3))), "y")
    path = tmp_path / "a.onnx"
    path.write_bytes(graph.build("test").to_bytes())
    wrong = {"x": np.zeros((1, 4), np.float32)}
    with pytest.raises(Exception, match="shape"):
        open_work(path, registry.runtime("onnxruntime"), SessionOptions(), Workload(streams=2), wrong)


def test_a_burst_is_long_beside_its_start() -> None:
    assert BURST_NS >= 10_000_000
