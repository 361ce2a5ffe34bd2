"""Grouped convolutions read channels as others do: the same place of each group goes, every group is refitted on its own part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prunable_networks import feeds_for
from samples_in_memory import Samples

from edgekit.protocols import Silent
from edgekit.pruning import Importance, PruneRule, Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.prune.consumers import Consumer, consumers_of
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.prune import prune
from edgekit_converters.prune.removal import remove
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.trace import trace

KINDS = ("Conv", "ConvTranspose")


def block(kind: str, groups: int, kernel: int, wide: int = 16, twice: bool = False, channels: int = 24) -> Hub:
    """As ResNeXt's: a pointwise convolution, a grouped one, a pointwise one.

    ``twice``: in every group, the second half of what it reads is the first half again.
    """
    random, graph = np.random.default_rng(groups * kernel), GraphBuilder()

    def weights(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def made(number: np.ndarray) -> np.ndarray:
        parts = number.reshape(groups, -1, *number.shape[1:])
        half = parts.shape[1] // 2
        return np.concatenate([parts[:, :half], parts[:, :half]], axis=1).reshape(number.shape) if twice else number

    operands = [graph.constant(made(array)) for array in (weights(wide, 3, 1, 1), weights(wide))]
    x = graph.op("Relu", graph.op("Conv", graph.input("x", "float32", ["N", 3, 6, 6]), *operands, name="narrow"))
    shape = (channels, wide // groups) if kind == "Conv" else (wide, channels // groups)
    pads = [kernel // 2] * 4
    operands = [graph.constant(weights(*shape, kernel, kernel)), graph.constant(weights(channels))]
    x = graph.op("Relu", graph.op(kind, x, *operands, group=groups, pads=pads, name="grouped"))
    operands = [graph.constant(weights(4, channels, 1, 1)), graph.constant(weights(4))]
    graph.output(graph.op("ReduceMean", graph.op("Conv", x, *operands), graph.constant(np.array([2, 3]))), "y")
    return normalize(graph.build("test"))


def grouped_reader(hub: Hub) -> Consumer:
    return next(one for one in consumers_of(hub, trace(hub)) if one.name == "grouped")


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(KINDS), st.sampled_from([1, 2, 4]), st.sampled_from([1, 3]))
def test_weights_times_columns_are_the_results(kind: str, groups: int, kernel: int) -> None:
    """Of a transposed convolution each row is one place of its kernel; with a kernel of 1x1 they are its results."""
    hub = block(kind, groups, kernel)
    reader = grouped_reader(hub)
    assert reader.operand(reader.weights()).tobytes() == reader.node.inputs[1].const_value.numpy().tobytes()
    assert reader.weights().shape[0] == groups
    if kind == "ConvTranspose" and kernel > 1:
        return
    graph, bias = reader.node.graph, reader.node.inputs[2].const_value.numpy()
    graph.outputs[:] = [reader.node.inputs[0], reader.node.outputs[0]]
    given_, results = hub_session(hub).run(feeds_for(hub)).values()
    columns = reader.columns(given_, 10**6, 0)
    found = (reader.weights() @ columns).reshape(24, -1) + bias[:, np.newaxis]
    np.testing.assert_allclose(found, np.moveaxis(results, 1, 0).reshape(24, -1), atol=1e-4)


@settings(deadline=None, max_examples=12)
@given(st.sampled_from(KINDS), st.sampled_from([2, 4]), st.sampled_from([1, 3]), st.integers(0, 99))
def test_what_is_there_twice_in_every_group_goes_without_loss(kind: str, groups: int, kernel: int, seed: int) -> None:
    hub = block(kind, groups, kernel, twice=True)
    found = trace(hub)
    (space,) = (one for one in found.spaces if one.name == "narrow")
    places = 16 // groups
    chosen = np.random.default_rng(seed).integers(0, 2, places // 2) * (places // 2) + np.arange(places // 2)
    stays = found.without(space.units[chosen])
    samples = Samples(**feeds_for(hub, 1, 48))
    smaller = repair(hub, found, consumers_of(hub, found), stays, samples, Silent())
    judge = Judge(hub, Samples(**feeds_for(hub, 2, 16)), 16)
    assert judge.quality(smaller).loss < 0.03 * judge.quality(remove(hub, found, stays)).loss


@pytest.mark.parametrize("importance", Importance)
@pytest.mark.parametrize("kind", KINDS)
def test_what_only_a_grouped_convolution_reads_goes_by_every_importance(kind: str, importance: Importance) -> None:
    hub = block(kind, 2, 3, wide=32, twice=True)
    pruning = Pruning(units=0.5, importance=importance, rules=(PruneRule("grouped", 0.0),), force=True)
    figures = prune(hub, pruning, None, Samples(**feeds_for(hub, 1, 64)), None, Silent()).figures
    assert [(layer.name, layer.units, layer.left) for layer in figures.layers] == [("narrow", 16, 8)]


def test_the_second_order_sees_what_each_group_has_twice() -> None:
    hub, only = block("Conv", 2, 3, wide=32, twice=True), (PruneRule("grouped", 0.0),)
    samples = Samples(**feeds_for(hub, 1, 128))
    second, magnitude = (
        prune(hub, Pruning(units=0.5, importance=by, rules=only), None, samples, None, Silent()).figures.found.sqnr_db
        for by in (Importance.SECOND_ORDER, Importance.MAGNITUDE)
    )
    assert second > max(20, magnitude + 6)


def test_the_smaller_grouped_convolution_has_as_many_groups() -> None:
    hub = block("Conv", 4, 3)
    found = trace(hub)
    gone = [space.units[:2] for space in found.spaces]
    smaller = remove(hub, found, found.without(np.concatenate(gone)))
    node = next(node for node in smaller.model.graph if node.name == "grouped")
    assert (node.attributes["group"].value, tuple(node.inputs[1].shape)) == (4, (16, 2, 3, 3))
