"""A hub runs in ONNX Runtime and shows what happens inside."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import ConversionError, FeedError
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.run import hub_session


@pytest.fixture
def hub():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 2])
    inner = graph.op("Mul", x, graph.constant(np.float32([2, 3]), "factor"), name="scale")
    graph.output(graph.op("Relu", inner), "y")
    return graph.build("test")


X = np.float32([[1, -1], [0, 2]])


@pytest.mark.parametrize("optimization", ["all", "basic", "none"])
def test_outputs_come_by_name(hub, optimization):
    result = hub_session(hub, optimization=optimization).run({"x": X})
    assert list(result) == ["y"]
    np.testing.assert_array_equal(result["y"], [[2, 0], [0, 6]])


def test_values_inside_can_be_tapped_inputs_and_constants_too(hub):
    result = hub_session(hub, ["scale_out", "x", "factor", "y"]).run({"x": X})
    np.testing.assert_array_equal(result["scale_out"], [[2, -3], [0, 6]])
    np.testing.assert_array_equal(result["x"], X)
    np.testing.assert_array_equal(result["factor"], [2, 3])
    assert set(result) == {"y", "scale_out", "x", "factor"}


def test_an_unknown_value_is_named(hub):
    with pytest.raises(ConversionError, match="no value named 'inner'"):
        hub_session(hub, ["inner"])


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "input 'x' is missing"),
        ({"x": X.astype(np.float64)}, "is float64; expected float32"),
        ({"x": X[0]}, r"shape \(2,\); expected \('batch', 2\)"),
        ({"x": X, "z": X}, "no input 'z'"),
    ],
)
def test_feeds_that_do_not_fit_are_refused(hub, feeds, message):
    with pytest.raises(FeedError, match=message):
        hub_session(hub).run(feeds)
