"""Recurrent layers refitted on their own states: formulas against ONNX Runtime, and what is left of layers that lost units."""

from __future__ import annotations

import numpy as np
import pytest
from prunable_networks import feeds_for, stacked
from recurrent_models import recurrent
from test_prune import Sequences

from edgekit.protocols import Silent
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.prune import through_time
from edgekit_converters.prune.consumers import consumers_of
from edgekit_converters.prune.gates import Layer, layer_of, sums
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.removal import remove
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.trace import trace

PLAIN = [
    ("RNN", {}),
    ("LSTM", {}),
    ("GRU", {"linear_before_reset": 0}),
    ("GRU", {"linear_before_reset": 1}),
    ("LSTM", {"direction": "reverse"}),
    ("GRU", {"direction": "reverse", "linear_before_reset": 1}),
]


def node_of(hub: Hub):
    return next(node for node in hub.model.graph if node.op_type in ("RNN", "LSTM", "GRU"))


def states_from(layer: Layer, total: np.ndarray, projected: np.ndarray, states: np.ndarray) -> np.ndarray:
    """What the activations make of the sums, spelled apart from the code under test."""

    def open_(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    units = layer.units
    parts = [total[..., start : start + units] for start in range(0, total.shape[-1], units)]
    if layer.kind == "RNN":
        return np.tanh(parts[0])
    if layer.kind == "GRU":
        inner = projected[..., 2 * units :] + open_(parts[1]) * parts[2] if layer.reset_after else parts[2]
        update = open_(parts[0])
        return (1 - update) * np.tanh(inner) + update * layer.before(states)
    cell, found = np.zeros(states.shape[1:]), np.empty_like(states)
    for step in range(len(states))[:: -1 if layer.reverse else 1]:
        cell = open_(parts[2][step]) * cell + open_(parts[0][step]) * np.tanh(parts[3][step])
        found[step] = open_(parts[1][step]) * np.tanh(cell)
    return found


@pytest.mark.parametrize(("kind", "settings"), PLAIN)
def test_the_sums_are_those_of_the_runtime(kind: str, settings: dict) -> None:
    hub = recurrent(kind, batch=3, **settings)
    layer, x = layer_of(node_of(hub)), feeds_for(hub)["x"]
    assert layer is not None
    states = hub_session(hub).run({"x": x})["y0"][:, 0]
    found = sums(layer, x, states)
    assert found.worth.shape == found.total.shape
    again = states_from(layer, found.total, x @ layer.inputs.T + layer.biases[0], states)
    np.testing.assert_allclose(again, states, atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{"direction": "bidirectional"}, {"states": True}, {"peepholes": True}, {"bias": False}, {"clip": 2.0}]
)
def test_layers_that_are_not_plain_are_left_to_the_general_way(settings: dict) -> None:
    assert layer_of(node_of(recurrent("LSTM", **settings))) is None


def with_twins(kind: str, copies: int = 2, **settings: int) -> Hub:
    """A layer in which each of 6 units is there several times over; a dense layer reads all of its states."""
    graph, random = GraphBuilder(), np.random.default_rng(21)
    gates, units = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind], 6

    def repeated(*shape: int) -> np.ndarray:
        rows = 0.6 * random.standard_normal((gates, units, *shape))
        return np.tile(rows, (1, copies, *(1 for _ in shape))).reshape(1, gates * units * copies, *shape)

    state = 0.5 * np.tile(repeated(units), (1, 1, copies)) / copies
    biases = np.concatenate([repeated(), repeated()], axis=1)
    operands = [graph.constant(array.astype(np.float32)) for array in (repeated(4), state, biases)]
    x = graph.input("x", "float32", [20, "N", 4])
    every, *_ = graph.ops(
        kind, x, *operands, outputs=3 if kind == "LSTM" else 2, hidden_size=units * copies, name="layer", **settings
    )
    head = [random.standard_normal(shape).astype(np.float32) for shape in ((units * copies, 3), (3,))]
    flat = graph.op("Squeeze", every, graph.constant(np.array([1])))
    graph.output(graph.op("Add", graph.op("MatMul", flat, graph.constant(head[0])), graph.constant(head[1])), "y")
    return normalize(graph.build("test"))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("RNN", {}), ("LSTM", {}), ("GRU", {"linear_before_reset": 1}), ("GRU", {"linear_before_reset": 0})],
)
def test_units_that_are_there_twice_go_at_little_loss(kind: str, settings: dict[str, int]) -> None:
    hub = with_twins(kind, **settings)
    found = trace(hub)
    stays = found.without(np.arange(6, 12))
    samples = Sequences(**feeds_for(hub, 3, 64))
    judge = Judge(hub, Sequences(**feeds_for(hub, 4, 16)), 1)
    smaller = repair(hub, found, consumers_of(hub, found), stays, samples, Silent())
    assert judge.quality(remove(hub, found, stays)).loss > 0.1
    assert judge.quality(smaller).loss < 0.01


def test_a_layer_on_top_of_another_that_lost_units_is_refitted_on_what_it_then_reads() -> None:
    hub = stacked("LSTM")
    found = trace(hub)
    stays = found.without(np.concatenate([space.units[: len(space.units) // 4] for space in found.spaces]))
    judge = Judge(hub, Sequences(**feeds_for(hub, 4, 64)), 1)
    samples = Sequences(**feeds_for(hub, 3, 128))
    smaller = repair(hub, found, consumers_of(hub, found), stays, samples, Silent())
    assert judge.quality(smaller).loss < 0.8 * judge.quality(remove(hub, found, stays)).loss


def test_rows_of_a_wide_gate_share_their_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(through_time, "MOST_WORK", 0.0)
    test_units_that_are_there_twice_go_at_little_loss("LSTM", {})
