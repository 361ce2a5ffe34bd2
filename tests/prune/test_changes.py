"""Importance from gradients: what it tells of a channel is what the outputs, or the loss, do when the channel goes."""

from __future__ import annotations

import numpy as np
import pytest
from prunable_networks import NETWORKS, feeds_for, mobile, residual, stacked
from samples_in_memory import Samples

from edgekit.errors import ConversionError
from edgekit.protocols import Batch, Silent
from edgekit.pruning import Importance, Pruning
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.prune.changes import changes
from edgekit_converters.prune.consumers import consumers_of
from edgekit_converters.prune.order import by_changes
from edgekit_converters.prune.prune import prune
from edgekit_converters.prune.trace import trace
from edgekit_converters.quantize.sequential_samples import Picked


class Labelled(Samples):
    """Samples with classes by number."""

    def __init__(self, labels: np.ndarray, **arrays: np.ndarray) -> None:
        super().__init__(**arrays)
        self._labels = labels

    def batches(self, size: int):
        for number, batch in enumerate(super().batches(size)):
            yield Batch(batch.feeds, self._labels[number * size : (number + 1) * size])


def dense(outputs: int) -> tuple[Hub, np.ndarray, np.ndarray]:
    """A hidden layer of 8 units and its weights."""
    graph, random = GraphBuilder(), np.random.default_rng(5)
    first, second = (random.standard_normal(shape).astype(np.float32) for shape in ((6, 8), (8, outputs)))
    x = graph.input("x", "float32", ["N", 6])
    inner = graph.op("Tanh", graph.op("Gemm", x, graph.constant(first), graph.constant(np.zeros(8, np.float32))))
    head = (graph.constant(second), graph.constant(np.zeros(outputs, np.float32)))
    graph.output(graph.op("Gemm", inner, *head, name="head"), "y")
    return graph.build("test"), first, second


def test_without_labels_it_is_the_change_of_the_output() -> None:
    hub, first, second = dense(outputs=1)
    feeds = feeds_for(hub, 1, 40)
    found = changes(hub, consumers_of(hub, trace(hub)), Samples(**feeds), Silent())["head"]
    inner = np.tanh(feeds["x"] @ first)
    wanted = (inner - inner.mean(axis=0)) * second[:, 0]
    wanted /= (inner @ second).std()
    np.testing.assert_allclose(np.square(found).mean(axis=0), np.square(wanted).mean(axis=0), rtol=1e-3)


def test_with_labels_it_is_the_change_of_the_cross_entropy() -> None:
    hub, first, second = dense(outputs=3)
    feeds, labels = feeds_for(hub, 1, 40), np.arange(40) % 3
    found = changes(hub, consumers_of(hub, trace(hub)), Labelled(labels, **feeds), Silent())["head"]
    inner = np.tanh(feeds["x"].astype(np.float64) @ first)

    def losses(hidden: np.ndarray) -> np.ndarray:
        logits = hidden @ second
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(40), labels]

    for unit in range(8):
        less = inner.copy()
        less[:, unit] -= 1e-4 * (inner[:, unit] - inner[:, unit].mean())
        np.testing.assert_allclose(found[:, unit], (losses(inner) - losses(less)) / 1e-4, rtol=0.01, atol=1e-3)


def test_labels_that_are_no_classes_of_the_output_are_left_alone() -> None:
    hub, _, _ = dense(outputs=3)
    consumers, feeds = consumers_of(hub, trace(hub)), feeds_for(hub, 1, 20)
    plain = changes(hub, consumers, Samples(**feeds), Silent())["head"]
    for labels in (np.full(20, 7), np.full(20, -1), np.full(20, 0.5), np.full(20, "cat")):
        found = changes(hub, consumers, Labelled(labels, **feeds), Silent())["head"]
        np.testing.assert_array_equal(found, plain)


def test_a_stream_that_several_layers_read_counts_for_each_of_them() -> None:
    hub = residual()
    dependencies = trace(hub)
    consumers = consumers_of(hub, dependencies)
    found = changes(hub, consumers, Samples(**feeds_for(hub, 2, 24)), Silent())
    space = max(dependencies.spaces, key=lambda space: len(space.makers))
    readers = [c for c in consumers if np.isin(c.cut.units, space.units).any()]
    assert len(readers) > 1
    order = by_changes(space, consumers, found)
    assert sorted(order) == sorted(space.units)
    scores = sum(found[reader.name][:, _columns(reader.cut.units, order)] for reader in readers)
    means = np.square(scores).mean(axis=0)
    assert (np.diff(means) >= 0).all()


def _columns(units: np.ndarray, order: np.ndarray) -> list[int]:
    return [int(np.flatnonzero(units == unit)[0]) for unit in order]


@pytest.mark.parametrize("name", [name for name in NETWORKS if "stacked" not in name])
def test_networks_without_recurrent_layers_have_gradients_all_the_way(name: str) -> None:
    hub = NETWORKS[name]()
    consumers = consumers_of(hub, trace(hub))
    found = changes(hub, consumers, Samples(**feeds_for(hub, 3, 4)), Silent())
    assert set(found) == {consumer.name for consumer in consumers}
    assert all(np.isfinite(each).all() and each.any() for each in found.values())


def test_recurrent_layers_are_refused_by_name_with_the_way_out() -> None:
    hub = stacked("LSTM")
    with pytest.raises(ConversionError, match=r"\(LSTM\) has no gradient.*'second-order'"):
        prune(
            hub, Pruning(macs=0.2, importance=Importance.TAYLOR), None, Samples(**feeds_for(hub, 1, 8)), None, Silent()
        )


def test_samples_that_were_picked_keep_their_labels() -> None:
    samples = Picked(Labelled(np.arange(10), x=np.arange(10.0)), np.array([1, 4, 8]))
    assert [list(batch.labels) for batch in samples.batches(2)] == [[1, 4], [8]]
    assert next(Picked(Samples(x=np.arange(10.0)), np.array([1])).batches(2)).labels is None


def test_pruning_by_labels_removes_what_the_loss_does_not_need() -> None:
    hub = mobile()
    samples = Labelled(np.arange(48) % 5, **feeds_for(hub, 1, 48))
    found = prune(hub, Pruning(macs=0.2, importance=Importance.TAYLOR, force=True), None, samples, None, Silent())
    before, after = found.figures.macs
    assert after <= 0.8 * before
