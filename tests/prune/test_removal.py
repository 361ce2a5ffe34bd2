"""What goes together: a network without some units computes what it computes with their weights at zero."""

from __future__ import annotations

import numpy as np
import picture_networks
import pytest
from prunable_networks import NETWORKS, attention, bidirectional, feeds_for, grouped, mobile, residual, stacked
from silenced import silence

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.prune.costs import costs_of
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.removal import remove
from edgekit_converters.prune.trace import trace

PICTURES = {
    "generator": picture_networks.generator,
    "upscaler": picture_networks.upscaler,
    "u-net": picture_networks.unet,
}


def some_gone(found: Dependencies, part: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    gone = [random.choice(space.units, int(part * len(space.units)), replace=False) for space in found.spaces]
    return found.without(np.concatenate(gone))


def parameters(hub: Hub) -> int:
    return sum(value.const_value.size for value in hub.model.graph.initializers.values())


@pytest.mark.parametrize("part", [0.25, 0.5])
@pytest.mark.parametrize("name", [*NETWORKS, *PICTURES])
def test_removed_units_and_silent_units_give_the_same(name: str, part: float) -> None:
    hub = normalize({**NETWORKS, **PICTURES}[name]())
    found = trace(hub)
    stays = some_gone(found, part)
    smaller, silent, feeds = remove(hub, found, stays), silence(hub, found, stays), feeds_for(hub)
    wanted = hub_session(silent).run(feeds)
    for output, array in hub_session(smaller).run(feeds).items():
        np.testing.assert_allclose(array, wanted[output], atol=1e-5 * max(1, np.abs(wanted[output]).max()))
    assert parameters(smaller) < (1 - part / 2) * parameters(hub)
    assert smaller.inputs == hub.inputs
    assert smaller.outputs == hub.outputs


def test_shapes_written_in_the_smaller_hub_are_those_that_follow_from_its_inputs() -> None:
    from edgekit_converters.hub.infer_shapes import infer_shapes

    hub = mobile()
    found = trace(hub)
    smaller = remove(hub, found, some_gone(found, 0.5))
    assert infer_shapes(smaller.model) == 0


def test_a_residual_stream_is_one_space_and_its_blocks_others() -> None:
    spaces = trace(residual()).spaces
    assert sorted(len(space.units) for space in spaces) == [16, 16, 32, 32]
    assert max(len(space.makers) for space in spaces) == 2


def test_a_head_goes_with_its_queries_keys_and_values() -> None:
    (space,) = trace(attention()).spaces
    assert (len(space.units), space.width) == (4, 24)


def test_heads_that_are_merged_with_the_batch_go_as_a_whole() -> None:
    (space,) = trace(attention(flat_heads=True)).spaces
    assert (len(space.units), space.width) == (4, 24)


def test_groups_stay_equally_large() -> None:
    hub = grouped()
    found = trace(hub)
    smaller = remove(hub, found, some_gone(found, 0.5))
    sizes = [node.attributes["group"].value for node in smaller.model.graph if "group" in node.attributes]
    assert max(sizes) == 4


def test_units_of_a_recurrent_layer_are_counted_in_its_attribute() -> None:
    hub = stacked("LSTM")
    found = trace(hub)
    smaller = remove(hub, found, some_gone(found, 0.5))
    sizes = [node.attributes["hidden_size"].value for node in smaller.model.graph if node.op_type == "LSTM"]
    assert sizes == [6, 4]


def test_what_the_model_gives_is_never_narrowed() -> None:
    found = trace(bidirectional())
    assert not found.spaces
    assert all("output" in layer.reason for layer in found.protected)


def test_what_is_not_followed_is_protected_and_said() -> None:
    graph = GraphBuilder()
    weight = graph.constant(np.ones((4, 8), np.float32))
    wide = graph.op("Gemm", graph.input("x", "float32", ["N", 4]), weight, name="wide")
    graph.output(graph.op("Hardmax", wide, name="odd"), "y")
    found = trace(graph.build("test"))
    assert not found.spaces
    assert [(layer.node, "odd (Hardmax) is not followed" in layer.reason) for layer in found.protected] == [
        ("wide", True)
    ]


def test_a_network_that_is_quantized_already_is_told_to_be() -> None:
    graph = GraphBuilder()
    weights = graph.constant(np.ones((3, 4), np.float32)), graph.constant(np.ones((4, 2), np.float32))
    made = graph.op("MatMul", graph.input("x", "float32", ["N", 3]), weights[0])
    scale = graph.constant(np.array(0.1, np.float32)), graph.constant(np.array(0, np.int8))
    whole = graph.op("DequantizeLinear", graph.op("QuantizeLinear", made, *scale), *scale)
    graph.output(graph.op("MatMul", whole, weights[1]), "y")
    [first, _] = trace(graph.build("test")).protected
    assert "has quantized it already; prune the float network" in first.reason


def test_a_channel_that_is_repeated_stays() -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["N", 3, 4, 4])
    gate = graph.op("Conv", x, graph.constant(np.ones((1, 3, 1, 1), np.float32)))
    wide = graph.op("Conv", x, graph.constant(np.ones((8, 3, 1, 1), np.float32)))
    product = graph.op("Mul", graph.op("Sigmoid", gate), wide)
    graph.output(graph.op("Conv", product, graph.constant(np.ones((2, 8, 1, 1), np.float32))), "y")
    assert [len(space.units) for space in trace(graph.build("test")).spaces] == [8]


def test_costs_fall_with_what_is_removed() -> None:
    """One layer of 8 of 16 hidden units: 4 x 16 + 16 x 3 multiply-accumulates, half of both."""
    graph = GraphBuilder()
    first, second = (graph.constant(np.ones(shape, np.float32)) for shape in ((4, 16), (16, 3)))
    hidden = graph.op("Relu", graph.op("Gemm", graph.input("x", "float32", ["N", 4]), first))
    graph.output(graph.op("Gemm", hidden, second), "y")
    hub = graph.build("test")
    found = trace(hub)
    costs = costs_of(hub, found)
    assert (costs.macs(found.none_removed()), costs.parameters(found.none_removed())) == (112, 112)
    half = found.without(found.spaces[0].units[:8])
    assert (costs.macs(half), costs.parameters(half)) == (56, 56)
