"""States in files of fixed shapes: their open axis is the batch, and they come out as they went in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.artifact import State
from edgekit.errors import ConversionError
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.static import with_fixed_batch

STATES = (State("state", "state_out"),)


def test_the_open_axis_of_a_state_is_its_batch() -> None:
    graph = GraphBuilder()
    state = graph.input("state", "float32", (2, "rows", 4))
    graph.output(graph.op("Tanh", state), "state_out")
    hub = graph.build("test")
    with pytest.raises(ConversionError, match="the input 'state' has the shape"):
        with_fixed_batch(hub, 1)
    fixed = with_fixed_batch(replace(hub, states=STATES), 3)
    assert fixed.inputs[0].shape == fixed.outputs[0].shape == (2, 3, 4)


def growing() -> Hub:
    """A cache that is one row longer after each call."""
    graph = GraphBuilder()
    row, state = graph.input("row", "float32", (1, 1, 4)), graph.input("state", "float32", (1, "length", 4))
    graph.output(graph.op("Concat", state, row, axis=1), "state_out")
    graph.output(graph.op("ReduceSum", state, graph.constant(np.array([1]))), "y")
    return replace(graph.build("test"), states=STATES)


def test_a_state_that_grows_is_refused() -> None:
    with pytest.raises(ConversionError, match="1x1x4 before a call and 1x2x4 after it"):
        with_fixed_batch(growing(), 1)
