"""What leaves the model has room beyond the samples."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.recipe import Observer
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.headroom import with_headroom
from edgekit_converters.quantize.ranges import Ranges, TensorRange


def network(*, clipped: bool = False) -> Hub:
    graph = GraphBuilder()
    x = graph.input("x", "float32", ("batch", 4))
    value = graph.op("Gemm", x, graph.constant(np.ones((4, 2), np.float32)))
    if clipped:
        value = graph.op("Clip", value, graph.constant(np.float32(-1)), graph.constant(np.float32(2)))
    graph.output(value, "y")
    return graph.build("test")


def ranges(samples: int) -> Ranges:
    seen = TensorRange(Observer.MIN_MAX, -1.0, 2.0, -1.0, 2.0)
    return Ranges({"x": seen, "y": seen}, samples)


@pytest.mark.parametrize(("samples", "part"), [(50, 0.1), (500, 0.1), (5000, 0.01)])
def test_an_output_gets_the_more_room_the_less_was_seen(samples: int, part: float) -> None:
    found = with_headroom(network(), ranges(samples))
    assert found["y"] == pytest.approx((-1.0 - part, 2.0 + 2 * part))
    assert found["x"] == (-1.0, 2.0)


def test_a_clamp_goes_no_further() -> None:
    assert with_headroom(network(clipped=True), ranges(50))["y"] == (-1.0, 2.0)
