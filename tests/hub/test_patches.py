"""Patches times weights are what a convolution computes, however it pads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.edit import constant
from edgekit_converters.hub.patches import window_of
from edgekit_converters.hub.run import hub_session
from edgekit_converters.prune.consumers import consumers_of
from edgekit_converters.prune.trace import trace

Arrays = Mapping[str, NDArray[Any]]

ATTRIBUTES: list[dict[str, Any]] = [
    {},
    {"pads": [1, 0, 2, 1]},
    {"pads": [2] * 4, "dilations": [2, 2], "strides": [2, 1]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    {"auto_pad": "VALID", "strides": [1, 2]},
]


def pointwise_and_convolution(attributes: dict[str, Any], kernel: tuple[int, int] = (3, 2)) -> tuple[Hub, Arrays]:
    """A layer whose channels may go, and one that reads them through a window; sizes that only the samples tell."""
    graph, random = GraphBuilder(), np.random.default_rng(0)
    first, second = (random.normal(size=shape).astype(np.float32) for shape in ((4, 3, 1, 1), (5, 4, *kernel)))
    inner = graph.op("Conv", graph.input("x", "float32", ["N", 3, "H", "W"]), graph.constant(first))
    graph.output(inner, "inner")
    graph.output(graph.op("Conv", inner, graph.constant(second), name="reader", **attributes), "y")
    x = random.normal(size=(3, 3, 7, 6)).astype(np.float32)
    hub = graph.build("test")
    return hub, hub_session(hub).run({"x": x})


@pytest.mark.parametrize("attributes", ATTRIBUTES)
def test_patches_are_what_the_weights_are_multiplied_with(attributes: dict[str, Any]) -> None:
    hub, answers = pointwise_and_convolution(attributes)
    node = next(node for node in hub.model.graph if node.name == "reader")
    window, wanted = window_of(node), answers["y"]
    assert window.output_sizes((7, 6)) == wanted.shape[2:]
    rows = np.moveaxis(wanted, 1, -1).reshape(-1, 5)
    places = np.arange(1, len(rows), 2)
    weight = constant(node.inputs[1])
    assert weight is not None
    weights = weight.reshape(5, 4, -1)
    found = np.einsum("ptc,oct->po", window.patches(answers["inner"], places), weights)
    np.testing.assert_allclose(found, rows[places], atol=1e-4)


@pytest.mark.parametrize("attributes", ATTRIBUTES)
def test_a_reader_of_channels_that_may_go_is_refitted_on_the_same_columns(attributes: dict[str, Any]) -> None:
    hub, answers = pointwise_and_convolution(attributes)
    hub.model.graph.outputs.pop(0)  # what is an output keeps its channels
    (consumer,) = consumers_of(hub, trace(hub))
    columns = consumer.columns(answers["inner"], 10**6, 0)
    wanted = np.moveaxis(answers["y"], 1, 0).reshape(5, -1)
    np.testing.assert_allclose(consumer.weights() @ columns, wanted[np.newaxis], atol=1e-4)


def test_a_pointwise_convolution_has_no_window() -> None:
    hub, _ = pointwise_and_convolution({"auto_pad": "SAME_UPPER"}, (1, 1))
    hub.model.graph.outputs.pop(0)
    (consumer,) = consumers_of(hub, trace(hub))
    assert consumer.window is None
