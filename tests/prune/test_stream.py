"""Transformers: which stream a layer adds to, and that refitting makes good what the stream has lost."""

from __future__ import annotations

import numpy as np
import pytest
from picture_networks import Blocks
from prunable_networks import NETWORKS, feeds_for
from samples_in_memory import Samples

from edgekit.protocols import Silent
from edgekit_converters.hub import Hub
from edgekit_converters.prune import samples as stage
from edgekit_converters.prune.consumers import consumers_of
from edgekit_converters.prune.loss import Judge
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.stream import stream_of
from edgekit_converters.prune.trace import trace

TOKENS, WIDTH, HEADS, INNER = 6, 16, 4, 48


class Encoder:
    """Blocks of attention and a feed-forward part over tokens. ``barrier``: an operator in front of each residual addition."""

    def __init__(self, norm_first: bool, barrier: str = "") -> None:
        self._blocks, self._norm_first, self._barrier = Blocks(21), norm_first, barrier
        self.op, self.number, self.random = (
            self._blocks.graph.op,
            self._blocks.graph.constant,
            np.random.default_rng(21),
        )

    def hub(self, depth: int = 3, masked: bool = False) -> Hub:
        graph = self._blocks.graph
        x, bias = graph.input("x", "float32", ["N", TOKENS, WIDTH]), None
        if masked:
            mask = self.op(
                "Unsqueeze", graph.input("attention_mask", "int64", ["N", TOKENS]), self.number(np.array([1, 2]))
            )
            empty = self.op("Sub", self.number(np.float32(1)), self.op("Cast", mask, to=1))
            bias = self.op("Mul", empty, self.number(np.float32(-1e4)))
        for _ in range(depth):
            x = self._added(x, lambda value: self._attention(value, bias))
            x = self._added(x, self._feed_forward)
        graph.output(x, "y")
        return graph.build("test")

    def _added(self, x, part):
        made = part(self._norm(x) if self._norm_first else x)
        made = self.op(self._barrier, made) if self._barrier else made
        total = self.op("Add", x, made)
        return total if self._norm_first else self._norm(total)

    def _norm(self, x):
        factors = [self.number(np.full(WIDTH, value, np.float32)) for value in (1.0, 0.0)]
        return self.op("LayerNormalization", x, *factors)

    def _dense(self, x, given: int, made: int):
        weights = self.random.standard_normal((given, made)) / np.sqrt(given)
        bias = self.random.standard_normal(made) / 4
        return self.op(
            "Add", self.op("MatMul", x, self.number(weights.astype(np.float32))), self.number(bias.astype(np.float32))
        )

    def _attention(self, x, bias):
        parts = [
            self.op("Transpose", self._blocks.shaped(self._dense(x, WIDTH, WIDTH), -1, TOKENS, HEADS, 4), perm=order)
            for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        ]
        scores = self.op("MatMul", parts[0], parts[1])
        scores = scores if bias is None else self.op("Add", scores, bias)
        mixed = self.op(
            "Transpose", self.op("MatMul", self.op("Softmax", scores, axis=-1), parts[2]), perm=[0, 2, 1, 3]
        )
        return self._dense(self._blocks.shaped(mixed, -1, TOKENS, WIDTH), WIDTH, WIDTH)

    def _feed_forward(self, x):
        return self._dense(self.op("Gelu", self._dense(x, WIDTH, INNER)), INNER, WIDTH)


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_layers_that_add_to_the_stream_know_it(norm_first: bool) -> None:
    hub = Encoder(norm_first).hub()
    found = trace(hub)
    streams = [stream_of(hub, found, consumer) for consumer in consumers_of(hub, found)]
    assert [stream.channels for stream in streams if stream] == [WIDTH] * 6
    assert len({stream.value for stream in streams if stream}) == 6


@pytest.mark.parametrize("name", ["residual", "mobile", "channels last", "stacked LSTM"])
def test_networks_without_tokens_have_no_stream(name: str) -> None:
    hub = NETWORKS[name]()
    found = trace(hub)
    assert not any(stream_of(hub, found, consumer) for consumer in consumers_of(hub, found))


@pytest.mark.parametrize("norm_first", [True, False])
def test_what_the_stream_has_lost_is_made_good_by_the_layers_behind(norm_first: bool) -> None:
    """The barrier hides the stream from the repair and computes nothing."""
    losses = []
    for barrier in ("", "Identity"):
        hub = Encoder(norm_first, barrier).hub()
        found = trace(hub)
        gone = [space.units[: len(space.units) // 4] for space in found.spaces]
        samples = Samples(**feeds_for(hub, 1, 600))
        smaller = repair(hub, found, consumers_of(hub, found), found.without(np.concatenate(gone)), samples, Silent())
        losses.append(Judge(hub, Samples(**feeds_for(hub, 2, 100)), 50).quality(smaller).loss)
    assert losses[0] < 0.95 * losses[1]


def test_padding_does_not_count_against_the_number_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Encoder(norm_first=False).hub(depth=1, masked=True)
    feeds = feeds_for(hub, 3, 96)
    monkeypatch.setattr(stage, "_FEWEST_SAMPLES", 4)
    monkeypatch.setattr(stage, "MOST_NUMBERS", 30 * stage._numbers(hub))
    counts = []
    for length in (TOKENS, 2):
        feeds["attention_mask"] = np.tile(np.arange(TOKENS) < length, (96, 1)).astype(np.int64)
        counts.append(len(stage.select(hub, Samples(**feeds)).taken))
    assert counts == [30, 90]
