"""One index is taken before values are joined and moved."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.gather_early import gather_early
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.remove_no_ops import remove_dead_code

PASSES = (gather_early, gather_early, gather_early, remove_dead_code)


def gathered(move, axis, *, index=-1, shared=False):
    """(2 x 7 x 4 x 5) joined, moved or reshaped, and one index of it."""
    graph = GraphBuilder()
    x = graph.input("x", "float32", ("batch", 7, 4, 5))
    value = {
        "transpose": lambda: graph.op("Transpose", x, perm=[1, 0, 3, 2]),
        "reshape": lambda: graph.op("Reshape", x, graph.constant(np.array([0, 7, 20]))),
        "concat": lambda: graph.op("Concat", x, graph.op("Neg", x), axis=2),
    }[move]()
    graph.output(graph.op("Gather", value, graph.constant(np.array(index)), axis=axis), "y")
    if shared:
        graph.output(value, "z")
    return graph.build("test")


def reads_the_input(hub):
    (gather, *_) = [node for node in hub.model.graph if node.op_type == "Gather"]
    return gather.inputs[0].is_graph_input()


@pytest.mark.parametrize(("move", "axis"), [("transpose", 0), ("transpose", 3), ("reshape", 1), ("concat", 1)])
def test_the_gather_comes_first(after, move, axis):
    assert reads_the_input(after(gathered(move, axis), *PASSES))


@pytest.mark.parametrize(("move", "axis"), [("reshape", 2), ("concat", 2)])
def test_an_axis_that_the_move_makes_is_gathered_behind_it(after, move, axis):
    assert not reads_the_input(after(gathered(move, axis), *PASSES))


def test_what_others_read_stays(after):
    assert not reads_the_input(after(gathered("transpose", 0, shared=True), *PASSES))


def bidirectional(kind):
    """``layer(x)[:, -1]`` as PyTorch exports it."""
    graph, random = GraphBuilder(), np.random.default_rng(5)
    rows = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind] * 5
    weights = [graph.constant(random.standard_normal((2, rows, size)).astype(np.float32)) for size in (4, 5)]
    x = graph.op("Transpose", graph.input("x", "float32", ("batch", 7, 4)), perm=[1, 0, 2])
    value = graph.ops(kind, x, *weights, outputs=1, hidden_size=5, direction="bidirectional")[0]
    value = graph.op("Transpose", value, perm=[0, 2, 1, 3])
    value = graph.op("Reshape", value, graph.constant(np.array([0, 0, -1])))
    value = graph.op("Transpose", value, perm=[1, 0, 2])
    graph.output(graph.op("Gather", value, graph.constant(np.array(-1)), axis=1), "y")
    return graph.build("test")


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_the_last_step_of_a_bidirectional_layer_costs_one_step_of_the_reverse_one(equal, kind):
    hub = bidirectional(kind)
    settled = normalize(hub)
    equal(hub, settled)
    layers = [node for node in settled.model.graph if node.op_type == kind]
    assert sorted(node.inputs[0].shape[0] for node in layers) == [1, 7]
    assert all(not node.outputs[0].uses() for node in layers)
