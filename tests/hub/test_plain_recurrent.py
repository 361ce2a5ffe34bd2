"""Recurrent layers of any direction and layout become time-first layers of one direction."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from recurrent_models import recurrent

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.fold_constants import fold_constants
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.plain_recurrent import plain_recurrent
from edgekit_converters.hub.run import hub_session

KINDS = ("RNN", "LSTM", "GRU")


@pytest.mark.parametrize("kind", KINDS)
def test_a_bidirectional_layer_is_two_layers(after, ops, kind):
    hub = after(recurrent(kind, direction="bidirectional", batch=2, states=True), plain_recurrent)
    assert ops(hub)[kind] == 2
    directions = [node.attributes["direction"].value for node in hub.model.graph if node.op_type == kind]
    assert directions == ["forward", "reverse"]
    assert next(node for node in hub.model.graph if node.op_type == kind).name == "layer"


def test_each_direction_keeps_its_activations(after, ops):
    activations = ["Sigmoid", "Tanh", "Tanh", "HardSigmoid", "Relu", "Tanh"]
    hub = after(recurrent("LSTM", direction="bidirectional", activations=activations), plain_recurrent, fold_constants)
    assert ops(hub) == {"LSTM": 2, "Concat": 3}


def test_activations_with_parameters_keep_a_bidirectional_layer_whole(after, ops):
    settings = {"activations": ["HardSigmoid", "Tanh", "Tanh"] * 2, "activation_alpha": [0.1, 0.3]}
    hub = after(recurrent("LSTM", direction="bidirectional", **settings), plain_recurrent)
    assert ops(hub) == {"LSTM": 1}


@pytest.mark.parametrize(("lengths", "kept"), [((7, 7), False), ((7, 5), True)])
def test_lengths_that_say_nothing_are_dropped(after, lengths, kept):
    hub = after(recurrent("GRU", batch=2, lengths=lengths), plain_recurrent)
    assert (hub.model.graph[0].inputs[4] is not None) is kept


def test_a_batch_first_layer_computes_as_onnx_defines_it():
    """ONNX Runtime refuses layout 1, so ONNX's own reference is asked."""
    graph, random = GraphBuilder(), np.random.default_rng(0)
    weights = [graph.constant(random.standard_normal((1, 20, size)).astype(np.float32)) for size in (4, 5)]
    made = graph.ops("LSTM", graph.input("x", "float32", (3, 7, 4)), *weights, outputs=3, hidden_size=5, layout=1)
    graph.output(made[0], "y")
    graph.output(made[1], "h")
    hub = graph.build("test")
    x = random.standard_normal((3, 7, 4)).astype(np.float32)
    expected = ReferenceEvaluator(onnx.load_from_string(hub.to_bytes())).run(["h"], {"x": x})
    found = hub_session(normalize(hub)).run({"x": x})
    np.testing.assert_allclose(found["h"], expected[0], atol=1e-5)
    assert found["y"].shape == (3, 7, 1, 5)
    np.testing.assert_allclose(found["y"][:, -1], found["h"], atol=1e-6)
