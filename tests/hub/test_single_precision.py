"""Other float types become float32."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.run import hub_session
from edgekit_converters.hub.single_precision import make_single_precision


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_whole_model_changes_its_type(dtype):
    graph = GraphBuilder()
    x = graph.input("x", dtype, ["batch", 2])
    y = graph.op("Mul", x, graph.constant(np.array([2, 3], dtype)))
    y = graph.op("Add", y, graph.op("Cast", graph.op("Shape", x, start=1), to={"float16": 10, "float64": 11}[dtype]))
    graph.output(y, "y")
    hub = graph.build("test")
    make_single_precision(hub.model)
    assert hub.inputs[0].dtype == hub.outputs[0].dtype == "float32"
    result = hub_session(hub).run({"x": np.float32([[1, 2]])})["y"]
    np.testing.assert_array_equal(result, np.float32([[4, 8]]))


def test_numbers_beyond_float32_stay_finite_and_infinities_infinite():
    graph = GraphBuilder()
    x = graph.input("x", "float64", [3])
    graph.output(graph.op("Add", x, graph.constant(np.array([-1e308, -np.inf, 1.0]))), "y")
    hub = graph.build("test")
    make_single_precision(hub.model)
    (constant,) = hub.model.graph.initializers.values()
    limit = np.finfo(np.float32).max
    np.testing.assert_array_equal(constant.const_value.numpy(), np.float32([-limit, -np.inf, 1.0]))
