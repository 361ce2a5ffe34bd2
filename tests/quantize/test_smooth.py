"""Smoothing changes nothing in float, and takes outliers out of the way of int8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_tokens import CPU, Samples
from token_networks import NETWORKS, OUTLIER, decoder, encoder, feeds

from edgekit.protocols import Silent
from edgekit.recipe import Recipe
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.quant_plan import Execution
from edgekit_converters.quantize.scheme import constant_array, scheme
from edgekit_converters.quantize.smooth import smooth
from edgekit_converters.quantize.smooth_choice import choose
from edgekit_converters.quantize.smooth_rows import Rows, sample_rows


def smoothed(hub):
    return smooth(hub, scheme(hub, Recipe(), CPU), Samples(feeds(hub, 32)), Silent())


def rows_of(array):
    return Rows(array, array.min(axis=0), array.max(axis=0), array.mean(axis=0))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_float_answers_stay(name):
    hub = NETWORKS[name](outlier=10.0)
    arrays = feeds(hub, 4, seed=1)
    found = hub_session(smoothed(hub)).run(arrays)["y"]
    wanted = hub_session(hub).run(arrays)["y"]
    np.testing.assert_allclose(found, wanted, atol=2e-4 * np.abs(wanted).max())


def test_factors_go_into_a_layer_normalization_that_only_products_read():
    """In a pre-normalized block no node is added for them; in a post-normalized one the residual reads the values too."""
    for network, added in ((decoder, False), (encoder, True)):
        names = {node.name for node in smoothed(network(outlier=10.0)).model.graph}
        assert ("a/up/smoothing" in names) is added


def test_factors_go_into_the_value_that_attention_mixes():
    hub = decoder(outlier=10.0)
    found = smoothed(hub)
    names = {node.name for node in found.model.graph}
    assert not {name for name in names if name.endswith("o/smoothing")}
    weights = [
        constant_array(node.inputs[1]) for each in (hub, found) for node in each.model.graph if node.name == "b/v"
    ]
    ratio = weights[1] / weights[0]
    assert ratio.std(axis=1).max() > 0.1


def test_a_network_without_tokens_stays_as_it_is():
    hub = encoder()
    decided = scheme(hub, Recipe(), CPU)
    nothing = replace(decided, nodes={name: replace(plan, execution="float") for name, plan in decided.nodes.items()})
    assert smooth(hub, nothing, Samples(feeds(hub, 4)), Silent()) is hub


def test_even_channels_are_left_alone():
    random = np.random.default_rng(0)
    rows = rows_of(random.uniform(-1, 1, (256, 32)).astype(np.float32))
    assert choose(rows, random.uniform(-1, 1, (32, 16)).astype(np.float32)).plain


def test_channels_of_different_size_are_scaled_to_one_another():
    random = np.random.default_rng(0)
    sizes = np.geomspace(0.1, 10, 32)
    rows = rows_of((random.standard_normal((256, 32)) * sizes).astype(np.float32))
    found = choose(rows, random.standard_normal((32, 16)).astype(np.float32))
    assert np.corrcoef(np.log(found.factors), np.log(sizes))[0, 1] > 0.9


def test_a_channel_far_beyond_all_others_is_computed_apart():
    random = np.random.default_rng(0)
    array = random.standard_normal((256, 128)).astype(np.float32)
    array[:3, OUTLIER] = 3000.0
    found = choose(rows_of(array), random.standard_normal((128, 16)).astype(np.float32))
    assert found.outliers[OUTLIER]


def test_rows_are_real_tokens_and_few():
    hub = encoder()
    arrays = feeds(hub, 40)
    value = next(node.inputs[0].name for node in hub.model.graph if node.name == "a/up")
    rows = sample_rows(hub, [value], Samples(arrays), Silent())[value]
    assert rows.kept.shape[0] <= min(400, arrays["attention_mask"].sum())
    assert (rows.kept >= rows.low).all()
    assert (rows.kept <= rows.high).all()


@pytest.mark.parametrize("with_bias", [False, True])
def test_outliers_are_multiplied_in_float_behind_the_product(with_bias):
    random = np.random.default_rng(0)
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 6, 128])
    scale = np.where(np.arange(128) == OUTLIER, 3000.0, 1.0).astype(np.float32)
    x = graph.op("LayerNormalization", x, graph.constant(scale), graph.constant(np.zeros(128, np.float32)), axis=-1)
    y = graph.op("MatMul", x, graph.constant(random.standard_normal((128, 16)).astype(np.float32)), name="dense")
    y = graph.op("Add", y, graph.constant(np.arange(16, dtype=np.float32))) if with_bias else y
    graph.output(y, "y")
    hub = graph.build("test")
    arrays = {"x": random.standard_normal((32, 6, 128)).astype(np.float32)}
    found = smooth(hub, scheme(hub, Recipe(), CPU), Samples(arrays), Silent())
    assert {"dense/outliers", "dense/outlier_product", "dense/outlier_sum"} <= {node.name for node in found.model.graph}
    wanted = hub_session(hub).run(arrays)["y"]
    np.testing.assert_allclose(hub_session(found).run(arrays)["y"], wanted, atol=1e-5 * np.abs(wanted).max())
    assert scheme(found, Recipe(), CPU).nodes["dense/outlier_product"].execution is Execution.FLOAT


def test_every_sample_counts_for_the_ends():
    """A last sentence that reaches further than all others is in the range that calibration finds, and so in the factors."""
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 2, 16])
    graph.output(graph.op("LayerNormalization", x, graph.constant(np.ones(16, np.float32)), axis=-1), "y")
    arrays = {"x": np.zeros((500, 2, 16), np.float32)}
    arrays["x"][-1, 0, 3] = 9.0
    hub = graph.build("test")
    rows = sample_rows(hub, ["x", "y"], Samples(arrays), Silent())
    assert rows["x"].high[3] == 9.0
    assert rows["y"].high[3] == pytest.approx(np.sqrt(15), rel=1e-3)
    assert len(rows["y"].kept) <= 500
