"""Small Transformers: an encoder with a mask, a causal decoder, a vision Transformer."""

from __future__ import annotations

import numpy as np

from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize

TOKENS, WIDTH, HEADS, WORDS = 12, 32, 4, 200
OUTLIER = 5
"""The channel whose numbers are ``outlier`` times as large as others behind some layer normalizations."""


class Network:
    def __init__(self, seed: int, outlier: float) -> None:
        self.graph = GraphBuilder()
        self.random = np.random.default_rng(seed)
        self.outlier = outlier

    def constant(self, array):
        return self.graph.constant(np.asarray(array, np.float32))

    def weight(self, *shape):
        return self.constant(self.random.standard_normal(shape) / np.sqrt(shape[0]))

    def dense(self, x, inputs, outputs, name):
        product = self.graph.op("MatMul", x, self.weight(inputs, outputs), name=name)
        return self.graph.op("Add", product, self.constant(self.random.standard_normal(outputs) * 0.1))

    def normalized(self, x, outlier=False):
        scale = self.random.uniform(0.5, 1.5, WIDTH)
        scale[OUTLIER] *= self.outlier if outlier else 1.0
        return self.graph.op("LayerNormalization", x, self.constant(scale), self.constant(np.zeros(WIDTH)), axis=-1)

    def heads(self, x, tokens):
        shape = self.graph.constant(np.array([-1, tokens, HEADS, WIDTH // HEADS]))
        return self.graph.op("Transpose", self.graph.op("Reshape", x, shape), perm=[0, 2, 1, 3])

    def attention(self, x, mask, tokens, name):
        query, key, value = (self.heads(self.dense(x, WIDTH, WIDTH, f"{name}/{part}"), tokens) for part in "qkv")
        scores = self.graph.op(
            "MatMul", query, self.graph.op("Transpose", key, perm=[0, 1, 3, 2]), name=f"{name}/scores"
        )
        scores = self.graph.op("Mul", scores, self.constant(np.sqrt(HEADS / WIDTH)))
        if mask is not None:
            scores = self.graph.op("Add", scores, mask, name=f"{name}/masked")
        mixed = self.graph.op("MatMul", self.graph.op("Softmax", scores, axis=-1), value, name=f"{name}/mixed")
        mixed = self.graph.op("Transpose", mixed, perm=[0, 2, 1, 3])
        mixed = self.graph.op("Reshape", mixed, self.graph.constant(np.array([-1, tokens, WIDTH])))
        return self.dense(mixed, WIDTH, WIDTH, f"{name}/o")

    def feed_forward(self, x, name):
        inner = self.graph.op("Gelu", self.dense(x, WIDTH, 4 * WIDTH, f"{name}/up"))
        return self.dense(inner, 4 * WIDTH, WIDTH, f"{name}/down")

    def post_normalized(self, x, mask, name):
        """A block as in BERT."""
        x = self.normalized(self.graph.op("Add", x, self.attention(x, mask, TOKENS, name)), outlier=True)
        return self.normalized(self.graph.op("Add", x, self.feed_forward(x, name), name=f"{name}/residual"))

    def pre_normalized(self, x, mask, tokens, name):
        """A block as in GPT-2 and in vision Transformers."""
        inner = self.attention(self.normalized(x, outlier=True), mask, tokens, name)
        x = self.graph.op("Add", x, inner, name=f"{name}/residual")
        return self.graph.op("Add", x, self.feed_forward(self.normalized(x), name))

    def build(self, output):
        self.graph.output(output, "y")
        return normalize(self.graph.build("test"))


def embedded(net):
    words = net.graph.input("input_ids", "int64", ["batch", TOKENS])
    table = net.constant(net.random.standard_normal((WORDS, WIDTH)) * net.random.uniform(0.2, 2.0, WIDTH))
    return net.graph.op("Gather", table, words, name="embedding")


def encoder(outlier=1.0):
    """Takes input_ids and attention_mask."""
    net = Network(0, outlier)
    x = embedded(net)
    mask = net.graph.input("attention_mask", "int64", ["batch", TOKENS])
    axes = net.graph.constant(np.array([1, 2]))
    kept = net.graph.op("Unsqueeze", net.graph.op("Cast", mask, to=1), axes)
    added = net.graph.op("Mul", net.graph.op("Sub", kept, net.constant(1.0)), net.constant(3.4e38))
    for name in ("a", "b"):
        x = net.post_normalized(x, added, name)
    return net.build(x)


def decoder(outlier=1.0):
    """Takes input_ids; no token sees those behind it."""
    net = Network(1, outlier)
    x = embedded(net)
    mask = net.constant(np.triu(np.full((TOKENS, TOKENS), -3.4e38), 1))
    for name in ("a", "b"):
        x = net.pre_normalized(x, mask, TOKENS, name)
    return net.build(net.dense(net.normalized(x), WIDTH, WORDS, "head"))


def vision(outlier=1.0):
    """Takes pictures of 16 x 16 in patches of 4 x 4."""
    net = Network(2, outlier)
    pictures = net.graph.input("pictures", "float32", ["batch", 3, 16, 16])
    patches = net.graph.op(
        "Conv", pictures, net.constant(net.random.standard_normal((WIDTH, 3, 4, 4)) / 7), strides=[4, 4]
    )
    flat = net.graph.op("Reshape", patches, net.graph.constant(np.array([-1, WIDTH, 16])))
    x = net.graph.op("Add", net.graph.op("Transpose", flat, perm=[0, 2, 1]), net.weight(16, WIDTH), name="positions")
    for name in ("a", "b"):
        x = net.pre_normalized(x, None, 16, name)
    pooled = net.graph.op("ReduceMean", net.normalized(x), net.graph.constant(np.array([1])), keepdims=0)
    return net.build(net.graph.op("MatMul", pooled, net.weight(WIDTH, 20), name="head"))


NETWORKS = {"encoder": encoder, "decoder": decoder, "vision": vision}


def feeds(hub, count, seed=0):
    random = np.random.default_rng(seed)
    lengths = random.integers(4, TOKENS + 1, (count, 1))
    made = {
        "input_ids": random.integers(0, WORDS, (count, TOKENS)),
        "attention_mask": (np.arange(TOKENS) < lengths).astype(np.int64),
        "pictures": random.standard_normal((count, 3, 16, 16)).astype(np.float32),
    }
    return {spec.name: made[spec.name] for spec in hub.inputs}
