"""Many runs at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.artifact import Artifact
from edgekit.errors import FeedError, UsageError
from edgekit.inference import Model, find_runtime
from edgekit.protocols import Feeds, SessionOptions
from edgekit.recipe import Precision
from edgekit.throughput import Outputs, RunQueue
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite


@pytest.fixture(params=["onnx", "tflite"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """``y = relu(x)``, x (1, 4)."""
    graph = GraphBuilder()
    graph.output(graph.op("Relu", graph.input("x", "float32", (1, 4)), name="relu"), "y")
    hub, found = graph.build("test"), tmp_path / f"m.{request.param}"
    if request.param == "onnx":
        found.write_bytes(hub.to_bytes())
    else:
        write_tflite(hub, QuantPlan(Precision.FLOAT32, values={}, nodes={}), found, TfliteOptions())
    return found


def stream(count: int) -> Iterator[dict[str, np.ndarray]]:
    for index in range(count):
        yield {"x": np.array([[-1, index, -index, 1]], np.float32)}


def test_answers_come_in_the_order_of_the_feeds(path: Path) -> None:
    with edgekit.load(path) as model, model.queue(workers=3) as queue:
        answers = [outputs["y"].tolist() for outputs in queue.map(stream(50))]
    assert answers == [[[0, index, 0, 1]] for index in range(50)]


def test_several_samples_at_once_are_split_as_in_a_run(path: Path) -> None:
    with edgekit.load(path) as model, model.queue() as queue:
        assert queue.submit({"x": np.ones((5, 4), np.float32)}).result()["y"].shape == (5, 4)


def test_wrong_feeds_fail_in_their_own_answer_only(path: Path) -> None:
    with edgekit.load(path) as model, model.queue(workers=1) as queue:
        wrong, right = queue.submit({"z": np.ones((1, 4), np.float32)}), queue.submit(next(stream(1)))
        with pytest.raises(FeedError, match="has no input 'z'"):
            wrong.result()
        assert right.result()["y"].tolist() == [[0, 0, 0, 1]]


def test_the_model_runs_on_beside_its_queue_and_after_it(path: Path) -> None:
    with edgekit.load(path) as model:
        with model.queue() as queue:
            queue.submit(next(stream(1))).result()
            assert model.run(next(stream(1)))["y"].shape == (1, 4)
        assert model.run(next(stream(1)))["y"].shape == (1, 4)
        with pytest.raises(UsageError, match="the queue is closed"):
            queue.submit(next(stream(1)))


@pytest.mark.parametrize("arguments", [{"workers": 0}, {"waiting": -1}])
def test_impossible_sizes_are_refused(path: Path, arguments: dict[str, int]) -> None:
    with edgekit.load(path) as model, pytest.raises(UsageError, match="expected"):
        model.queue(**arguments)


def test_a_session_that_can_not_be_opened_again_has_no_queue(path: Path) -> None:
    session = find_runtime(path).open(path, SessionOptions())
    with (
        Model(Artifact.open(path), session, "elsewhere") as model,
        pytest.raises(UsageError, match="needs copies of it"),
    ):
        model.queue()


class Slow:
    """A run that waits to be let go, and counts how many wait."""

    def __init__(self) -> None:
        self.go, self.started = threading.Event(), threading.Semaphore(0)

    def run(self, feeds: Feeds) -> Outputs:
        self.started.release()
        assert self.go.wait(10)
        return {}


def test_a_full_queue_makes_the_caller_wait() -> None:
    slow, closed = Slow(), []
    queue = RunQueue([slow.run, slow.run], 1, lambda: closed.append(True))
    for _ in range(3):
        queue.submit({})
    fourth = threading.Thread(target=queue.submit, args=({},))
    fourth.start()
    fourth.join(0.05)
    assert fourth.is_alive()
    assert [slow.started.acquire(timeout=10) for _ in range(2)] == [True, True]
    assert not slow.started.acquire(blocking=False)
    slow.go.set()
    fourth.join(10)
    queue.close()
    assert [slow.started.acquire(blocking=False) for _ in range(3)] == [True, True, False]
    assert closed == [True]


def test_the_stream_is_read_no_further_than_there_are_places() -> None:
    slow, read = Slow(), []

    def feeds() -> Iterator[Feeds]:
        for index in range(10):
            read.append(index)
            yield {}

    with RunQueue([slow.run], 2, lambda: None) as queue:
        consumer = threading.Thread(target=lambda: list(queue.map(feeds())))
        consumer.start()
        deadline = time.monotonic() + 5
        while len(read) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert read == [0, 1, 2]
        slow.go.set()
        consumer.join(10)
    assert len(read) == 10
