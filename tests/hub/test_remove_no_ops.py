"""Nodes that pass their input on unchanged go; what they were named towards the user stays."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.remove_no_ops import drop_zero_states, remove_dead_code, remove_no_ops


def index(graph, *numbers):
    return graph.constant(np.array(numbers, np.int64))


NO_OPS = {
    "Identity": lambda g, x: g.op("Identity", x),
    "Dropout": lambda g, x: g.op("Dropout", x, g.constant(0.5)),
    "Cast": lambda g, x: g.op("Cast", x, to=1),
    "Reshape": lambda g, x: g.op("Reshape", x, index(g, -1, 3, 4)),
    "Transpose": lambda g, x: g.op("Transpose", x, perm=[0, 1, 2]),
    "Expand": lambda g, x: g.op("Expand", x, index(g, 1, 1)),
    "Pad": lambda g, x: g.op("Pad", x, index(g, 0, 0, 0, 0, 0, 0)),
    "Tile": lambda g, x: g.op("Tile", x, index(g, 1, 1, 1)),
    "Concat": lambda g, x: g.op("Concat", x, axis=1),
    "Sum": lambda g, x: g.op("Sum", x),
    "Slice": lambda g, x: g.op("Slice", x, index(g, 0), index(g, 2**62), index(g, 1)),
    "Clip": lambda g, x: g.op("Clip", x),
    "Add": lambda g, x: g.op("Add", x, g.constant(0.0)),
    "Sub": lambda g, x: g.op("Sub", x, g.constant(np.zeros((3, 1), np.float32))),
    "Mul": lambda g, x: g.op("Mul", x, g.constant(1.0)),
    "Div": lambda g, x: g.op("Div", x, g.constant(1.0)),
    "Pow": lambda g, x: g.op("Pow", x, g.constant(1.0)),
    "Split": lambda g, x: g.op("Split", x, num_outputs=1, axis=1),
    "Relu": lambda g, x: g.op("Relu", g.op("Sigmoid", x)),
}


@pytest.mark.parametrize("op", NO_OPS)
def test_it_is_removed(after, ops, op):
    graph = GraphBuilder()
    x = graph.op("Exp", graph.input("x", "float32", ["batch", 3, 4]))
    graph.output(graph.op("Tanh", NO_OPS[op](graph, x)), "y")
    assert op not in ops(after(graph.build("test"), remove_no_ops))


@pytest.mark.parametrize(
    "formula",
    [
        lambda g, x: g.op("Cast", x, to=6),
        lambda g, x: g.op("Slice", x, index(g, 0), index(g, 2**62), index(g, 1), index(g, 2)),
        lambda g, x: g.op("Add", x, g.constant(np.zeros((2, 1, 3, 4), np.float32))),
        lambda g, x: g.op("Reshape", x, index(g, -1, 4, 3)),
        lambda g, x: g.op("Dropout", x, g.constant(0.5), g.constant(np.array(True))),
    ],
)
def test_what_changes_something_stays(formula):
    graph = GraphBuilder()
    x = graph.op("Exp", graph.input("x", "float32", ["batch", 3, 4]))
    graph.output(graph.op("Abs", formula(graph, x)), "y")
    assert remove_no_ops(graph.build("test").model) == 0


def test_an_output_takes_over_what_fed_its_identity(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3])
    graph.output(graph.op("Identity", graph.op("Relu", x)), "result")
    hub = after(graph.build("test"), remove_no_ops)
    assert ops(hub) == {"Relu": 1}
    assert hub.outputs[0].name == "result"


def test_an_identity_between_input_and_output_stays(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3])
    graph.output(graph.op("Identity", x), "y")
    assert ops(after(graph.build("test"), remove_no_ops)) == {"Identity": 1}


def test_two_names_of_one_value_stay_two_outputs(after, ops):
    graph = GraphBuilder()
    y = graph.op("Relu", graph.input("x", "float32", ["batch", 3]))
    graph.output(y, "one")
    graph.output(graph.op("Identity", y), "other")
    assert ops(after(graph.build("test"), remove_no_ops)) == {"Relu": 1, "Identity": 1}


def test_what_nobody_reads_goes_but_inputs_stay(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 3])
    unused = graph.input("unused", "float32", ["batch", 3])
    graph.op("Add", unused, graph.constant(np.float32([1, 2, 3])))
    graph.output(graph.op("Relu", x), "y")
    hub = after(graph.build("test"), remove_dead_code)
    assert ops(hub) == {"Relu": 1}
    assert [spec.name for spec in hub.inputs] == ["x", "unused"]
    assert not hub.model.graph.initializers


def test_initial_states_of_zeros_are_left_out(after, ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", [5, "batch", 3])
    random = np.random.default_rng(0)
    weights = [graph.constant(random.standard_normal(shape).astype(np.float32)) for shape in ((1, 8, 3), (1, 8, 2))]
    wanted = graph.op("Concat", index(graph, 1), graph.op("Shape", x, start=1, end=2), index(graph, 2), axis=0)
    hidden = graph.op("Expand", graph.constant(np.zeros((1, 1, 1), np.float32)), wanted)
    cell = graph.op("ConstantOfShape", wanted)
    graph.output(graph.op("LSTM", x, *weights, None, None, hidden, cell, hidden_size=2), "y")
    assert ops(after(graph.build("test"), drop_zero_states, remove_dead_code)) == {"LSTM": 1}
