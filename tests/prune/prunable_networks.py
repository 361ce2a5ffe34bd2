"""Small networks of every kind of connection that pruning has to follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from picture_networks import Blocks
from recurrent_models import recurrent

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize


def mobile() -> Hub:
    """Inverted residuals with squeeze-excitation, as EfficientNet's; a dense classifier with a softmax."""
    blocks = Blocks(11)
    op = blocks.graph.op
    x = op("Relu", blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 12, 12]), 3, 16, stride=2))
    for stride, channels in ((1, 16), (2, 24), (1, 24)):
        given = x.shape[1]
        wide = op("Clip", blocks.conv(x, given, 48, kernel=1), *map(blocks.graph.constant, (0.0, 6.0)))
        wide = blocks.silu(blocks.conv(wide, 48, 48, stride=stride, group=48))
        squeezed = op("Relu", blocks.conv(op("GlobalAveragePool", wide), 48, 8, kernel=1))
        wide = op("Mul", wide, op("Sigmoid", blocks.conv(squeezed, 8, 48, kernel=1)))
        made = blocks.conv(wide, 48, channels, kernel=1)
        x = op("Add", x, made) if stride == 1 else made
    flat = op("Flatten", op("GlobalAveragePool", x))
    blocks.graph.output(op("Softmax", blocks.dense(flat, 24, 5)), "y")
    return normalize(blocks.graph.build("test"))


def residual() -> Hub:
    """As ResNet8: a strided shortcut, poolings, flattened pictures into a dense layer."""
    blocks = Blocks(12)
    op = blocks.graph.op
    x = op("Relu", blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 12, 12]), 3, 16))
    x = op("Relu", op("Add", x, blocks.conv(op("Relu", blocks.conv(x, 16, 16)), 16, 16)))
    inner = blocks.conv(op("Relu", blocks.conv(x, 16, 32, stride=2)), 32, 32)
    x = op("Relu", op("Add", inner, blocks.conv(x, 16, 32, kernel=1, stride=2)))
    pooled = op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    blocks.graph.output(blocks.dense(op("Flatten", pooled), 32 * 9, 5), "y")
    return normalize(blocks.graph.build("test"))


def grouped() -> Hub:
    """Grouped convolutions, channels that are shuffled, split and joined, a slice."""
    blocks = Blocks(13)
    op, number = blocks.graph.op, blocks.graph.constant
    x = op("Relu", blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 8, 8]), 3, 32))
    x = op("Relu", blocks.conv(x, 32, 32, group=4))
    x = blocks.shaped(op("Transpose", blocks.shaped(x, -1, 4, 8, 8, 8), perm=[0, 2, 1, 3, 4]), -1, 32, 8, 8)
    left, right = blocks.graph.ops("Split", x, number(np.array([16, 16])), outputs=2, axis=1)
    x = op("Concat", left, op("Relu", blocks.conv(right, 16, 24)), axis=1)
    part = op("Slice", x, number(np.array([8])), number(np.array([24])), number(np.array([1])))
    x = op("Concat", blocks.conv(x, 40, 8, kernel=1), part, axis=1)
    mean = op(
        "ReduceMean",
        blocks.conv(op("PRelu", x, number(np.full((24, 1, 1), 0.2, np.float32))), 24, 8),
        number(np.array([2, 3])),
        keepdims=0,
    )
    blocks.graph.output(blocks.dense(mean, 8, 3), "y")
    return normalize(blocks.graph.build("test"))


def channels_last() -> Hub:
    """As from Keras: a dense layer whose numbers become a picture of channels last, transposed, enlarged, flattened."""
    blocks = Blocks(14)
    op = blocks.graph.op
    x = op("Relu", blocks.dense(blocks.graph.input("x", "float32", ["N", 6]), 6, 4 * 4 * 16))
    x = op("Transpose", blocks.shaped(x, -1, 4, 4, 16), perm=[0, 3, 1, 2])
    x = op("LeakyRelu", blocks.rise(x, 16, 12, 4), alpha=0.1)
    x = op("Transpose", blocks.conv(x, 12, 8), perm=[0, 2, 3, 1])
    blocks.graph.output(blocks.dense(op("Tanh", blocks.shaped(x, -1, 8 * 8 * 8)), 512, 4), "y")
    return normalize(blocks.graph.build("test"))


def attention(flat_heads: bool = False) -> Hub:
    """One projection for queries, keys and values; with ``flat_heads`` heads and batch are one axis, as in PyTorch's layer."""
    blocks = Blocks(15)
    op, number = blocks.graph.op, blocks.graph.constant
    x = blocks.graph.input("x", "float32", [6, "N", 16] if flat_heads else ["N", 6, 16])
    weight = number((np.random.default_rng(1).standard_normal((16, 96)) / 4).astype(np.float32))
    every = op("Add", op("MatMul", x, weight), number(np.linspace(-1, 1, 96, dtype=np.float32)))
    parts = blocks.graph.ops("Split", every, number(np.array([32, 32, 32])), outputs=3, axis=2)
    shape, perm, back = (
        ((6, -1, 8), [1, 0, 2], (6, -1, 32)) if flat_heads else ((-1, 6, 4, 8), [0, 2, 1, 3], (-1, 6, 32))
    )
    query, key, value = (op("Transpose", blocks.shaped(part, *shape), perm=perm) for part in parts)
    turned = op("Transpose", key, perm=[0, 2, 1] if flat_heads else [0, 1, 3, 2])
    mixed = op("MatMul", op("Softmax", op("MatMul", query, turned), axis=-1), value)
    joined = blocks.shaped(op("Transpose", mixed, perm=perm), *back)
    out = op("MatMul", joined, number((np.random.default_rng(2).standard_normal((32, 16)) / 6).astype(np.float32)))
    blocks.graph.output(op("Add", x, out), "y")
    return normalize(blocks.graph.build("test"))


def stacked(kind: str) -> Hub:
    """Two recurrent layers, the second reading the first, and a dense layer on its last state."""
    graph, random = GraphBuilder(), np.random.default_rng(16)
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    value = graph.input("x", "float32", [7, "N", 4])
    for given, units in ((4, 12), (12, 8)):
        shapes = ((1, gates * units, given), (1, gates * units, units), (1, 2 * gates * units))
        operands = [graph.constant((0.4 * random.standard_normal(shape)).astype(np.float32)) for shape in shapes]
        value, last, *_ = graph.ops(kind, value, *operands, outputs=3 if kind == "LSTM" else 2, hidden_size=units)
        value = graph.op("Squeeze", value, graph.constant(np.array([1])))
    last = graph.op("Squeeze", last, graph.constant(np.array([0])))
    weights = [graph.constant(random.standard_normal(shape).astype(np.float32)) for shape in ((8, 3), (3,))]
    graph.output(graph.op("Gemm", last, *weights), "y")
    return normalize(graph.build("test"))


def bidirectional() -> Hub:
    """A layer of two directions, its outputs joined."""
    layer = recurrent("LSTM", units=6, direction="bidirectional", outputs=[0])
    return normalize(layer)


NETWORKS: dict[str, Callable[[], Hub]] = {
    "mobile": mobile,
    "residual": residual,
    "grouped": grouped,
    "channels last": channels_last,
    "attention": attention,
    "attention of flat heads": lambda: attention(flat_heads=True),
    **{f"stacked {kind}": lambda kind=kind: stacked(kind) for kind in ("RNN", "LSTM", "GRU")},
}


def feeds_for(hub: Hub, seed: int = 0, batch: int = 3) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        spec.name: random.standard_normal([dim if isinstance(dim, int) else batch for dim in spec.shape]).astype(
            spec.dtype
        )
        for spec in hub.inputs
    }
