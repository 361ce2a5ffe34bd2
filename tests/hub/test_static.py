"""A fixed batch makes every shape a number, or an error says which one isn't."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import ConversionError, UsageError
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.static import with_fixed_batch


def sequence_model():
    """Adds a ramp as long as the sequence, then flattens: (batch, time, 2) -> (batch, time * 2)."""
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", "time", 2])
    shape = graph.op("Shape", x)
    time = graph.op("Gather", shape, graph.constant(np.array(1)))
    ramp = graph.op("Range", graph.constant(np.array(0)), time, graph.constant(np.array(1)))
    ramp = graph.op("Unsqueeze", graph.op("Cast", ramp, to=1), graph.constant(np.array([1])))
    graph.output(graph.op("Flatten", graph.op("Add", x, ramp, name="ramp")), "y")
    return graph.build("test")


def test_all_shapes_become_numbers_and_names_stay(equal, ops):
    hub = normalize(sequence_model())
    fixed = with_fixed_batch(hub, 1, {"x": (-1, 5, 2)})
    assert fixed.inputs[0].shape == (1, 5, 2)
    assert fixed.outputs[0].shape == (1, 10)
    assert ops(fixed) == {"Add": 1, "Flatten": 1}
    assert next(node.name for node in fixed.model.graph) == "ramp"
    equal(fixed, with_fixed_batch(sequence_model(), 1, {"": (1, 5, 2)}))
    assert hub.inputs[0].shape == ("batch", "time", 2)


def test_an_open_dimension_is_named_with_the_option_that_fixes_it():
    with pytest.raises(ConversionError, match=r"input 'x' has the shape 1xtimex2.*--input-shape x=1xNx2"):
        with_fixed_batch(normalize(sequence_model()), 1)


def test_a_shape_that_depends_on_the_data_is_named():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 2])
    graph.output(graph.op("NonZero", x, name="find"), "positions")
    with pytest.raises(ConversionError, match=r"'positions', made by node 'find' \(NonZero\), depends on the data"):
        with_fixed_batch(graph.build("test"), 1)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"x": (1, 5, 3)}, "contradicts the model; the model declares batchxtimex2"),
        ({"x": (1, 5)}, "has 2 dimensions"),
        ({"z": (1, 5, 2)}, "the model's inputs are 'x'"),
        ({"x": (1, 0, 2)}, "dimensions are 1 or more"),
    ],
)
def test_a_shape_that_does_not_fit_is_a_usage_error(shapes, message):
    with pytest.raises(UsageError, match=message):
        with_fixed_batch(sequence_model(), 1, shapes)


def test_one_symbol_has_one_size():
    graph = GraphBuilder()
    one, two = graph.input("one", "float32", ["n", 2]), graph.input("two", "float32", ["n", 2])
    graph.output(graph.op("Add", one, two), "y")
    hub = graph.build("test")
    assert with_fixed_batch(hub, 1, {"one": (4, 2)}).inputs[1].shape == (4, 2)
    with pytest.raises(UsageError, match="the size 5, but 4 elsewhere"):
        with_fixed_batch(hub, 1, {"one": (4, 2), "two": (5, 2)})


def test_a_shape_without_a_name_is_that_of_all_inputs_that_are_alike():
    graph = GraphBuilder()
    one, other = (graph.input(name, "float32", ["batch", "time"]) for name in ("one", "other"))
    graph.output(graph.op("Add", one, other), "y")
    fixed = with_fixed_batch(graph.build("test"), 1, {"": (2, 5)})
    assert [spec.shape for spec in (*fixed.inputs, *fixed.outputs)] == [(2, 5)] * 3
