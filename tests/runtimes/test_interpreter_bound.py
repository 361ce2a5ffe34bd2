"""Running a TFLite file in memory allocated once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrent_models import recurrent

from edgekit.errors import FeedError, UsageError
from edgekit.protocols import Binder, SessionOptions
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import Hub
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite
from edgekit_runtimes.interpreter import InterpreterSession
from edgekit_runtimes.litert import LiteRt

KERNELS = pytest.mark.parametrize("kernels", ["default", "reference"])


def network(op: Callable[[GraphBuilder, Any], Any]) -> Hub:
    graph = GraphBuilder()
    graph.output(op(graph, graph.input("x", "float32", (1, 6))), "y")
    return graph.build("test")


def opened(hub: Hub, folder: Path, kernels: str = "default") -> InterpreterSession:
    write_tflite(hub, QuantPlan(Precision.FLOAT32), folder / "m.tflite", TfliteOptions())
    return LiteRt().open(folder / "m.tflite", SessionOptions(kernels=kernels))


def doubled(graph: GraphBuilder, x: Any) -> Any:
    return graph.op("Mul", x, graph.constant(np.float32(2)))


@KERNELS
def test_what_is_written_is_read_and_answered_in_place(tmp_path: Path, kernels: str) -> None:
    session = opened(network(doubled), tmp_path, kernels)
    assert isinstance(session, Binder)
    bound = session.bind()
    for value in (1, 5):
        bound.inputs["x"][:] = value
        bound.run()
        assert bound.outputs["y"].tolist() == [[2.0 * value] * 6]


def test_a_bound_session_still_takes_feeds_and_gives_copies(tmp_path: Path) -> None:
    session = opened(network(doubled), tmp_path)
    bound = session.bind()
    copy = session.run({"x": np.full((1, 6), 3, np.float32)})["y"]
    bound.inputs["x"][:] = 1
    bound.run()
    assert copy.tolist() == [[6.0] * 6]
    assert bound.outputs["y"].tolist() == [[2.0] * 6]
    with pytest.raises(FeedError, match="expected"):
        session.run({"x": np.zeros((1, 7), np.float32)})


def test_answers_equal_those_of_plain_runs_of_a_recurrent_file(tmp_path: Path) -> None:
    session = opened(recurrent("LSTM"), tmp_path)
    random = np.random.default_rng(1)
    feeds = {spec.name: random.standard_normal(spec.shape).astype(np.float32) for spec in session.inputs}
    expected = session.run(feeds)
    bound = session.bind()
    for _ in range(2):
        for name, array in feeds.items():
            bound.inputs[name][:] = array
        bound.run()
        for name, array in expected.items():
            np.testing.assert_array_equal(bound.outputs[name], array)


def test_an_unknown_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="has no input 'z'; its inputs are 'x'"):
        opened(network(doubled), tmp_path).bind({"z": (1, 6)})


def test_a_closed_session_runs_no_more(tmp_path: Path) -> None:
    session = opened(network(doubled), tmp_path)
    bound = session.bind()
    session.close()
    with pytest.raises(UsageError, match="is closed"):
        bound.run()
    with pytest.raises(UsageError, match="is closed"):
        session.bind()
