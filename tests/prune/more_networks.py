"""More connections that pruning has to follow: halves that gate each other, shuffled channels, masked heads, both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from picture_networks import Blocks

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize


def gated() -> Hub:
    """One half of a layer's channels is a gate for the other; sizes of a Split that are not written."""
    blocks = Blocks(21)
    op = blocks.graph.op
    x = op("Relu", blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 8, 8]), 3, 16))
    left, right = blocks.graph.ops("Split", blocks.conv(x, 16, 48, kernel=1), outputs=2, axis=1, num_outputs=2)
    x = op("Add", x, blocks.conv(op("Mul", op("Sigmoid", left), right), 24, 16, kernel=1))
    blocks.graph.output(blocks.dense(op("Flatten", op("GlobalAveragePool", x)), 16, 4), "y")
    return normalize(blocks.graph.build("test"))


def shuffled() -> Hub:
    """As ShuffleNet's units: half of the channels pass by, both halves are shuffled."""
    blocks = Blocks(22)
    op = blocks.graph.op
    x = op("Relu", blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 8, 8]), 3, 32))
    for _ in range(2):
        aside, y = blocks.graph.ops("Split", x, outputs=2, axis=1, num_outputs=2)
        y = blocks.conv(op("Relu", blocks.conv(y, 16, 16, kernel=1)), 16, 16, group=16)
        x = op("Concat", aside, op("Relu", blocks.conv(y, 16, 16, kernel=1)), axis=1)
        x = blocks.shaped(op("Transpose", blocks.shaped(x, -1, 2, 16, 8, 8), perm=[0, 2, 1, 3, 4]), -1, 32, 8, 8)
    blocks.graph.output(blocks.dense(op("Flatten", op("GlobalAveragePool", x)), 32, 4), "y")
    return normalize(blocks.graph.build("test"))


def densely_joined() -> Hub:
    """As DenseNet's blocks: every layer reads all before it, each behind its own normalization."""
    blocks = Blocks(23)
    op = blocks.graph.op
    x, width = blocks.conv(blocks.graph.input("x", "float32", ["N", 3, 8, 8]), 3, 12), 12
    for _ in range(3):
        factors = [np.linspace(low, 1, width, dtype=np.float32) for low in (0.5, -1, -1, 0.5)]
        normal = op("BatchNormalization", x, *map(blocks.graph.constant, factors))
        x, width = op("Concat", x, blocks.conv(op("Relu", normal), width, 8), axis=1), width + 8
    x = op("AveragePool", blocks.conv(x, width, 16, kernel=1), kernel_shape=[2, 2], strides=[2, 2])
    blocks.graph.output(blocks.dense(op("Flatten", op("GlobalAveragePool", x)), 16, 4), "y")
    return normalize(blocks.graph.build("test"))


def masked_heads() -> Hub:
    """Heads of PyTorch's attention: merged with the batch, parted from it again, under a mask that is repeated for each head."""
    blocks = Blocks(24)
    op, number = blocks.graph.op, blocks.graph.constant
    x = blocks.graph.input("x", "float32", ["N", 6, 16])
    turned = op("Transpose", x, perm=[1, 0, 2])
    weight = number((np.random.default_rng(3).standard_normal((16, 96)) / 4).astype(np.float32))
    every = op("Add", op("MatMul", turned, weight), number(np.linspace(-1, 1, 96, dtype=np.float32)))
    heads = []
    for start in (0, 32, 64):
        part = op("Slice", every, *(number(np.array([end])) for end in (start, start + 32, 2)))
        flat = op("Transpose", blocks.shaped(part, 6, -1, 8), perm=[1, 0, 2])
        heads.append(blocks.shaped(flat, -1, 4, 6, 8))
    mask = op("Mul", op("Slice", x, *(number(np.array([end])) for end in (0, 1, 2))), number(np.array(0.5, np.float32)))
    mask = op("Expand", blocks.shaped(mask, -1, 1, 1, 6), number(np.array([1, 4, 1, 1])))
    scores = op("Add", op("MatMul", heads[0], op("Transpose", heads[1], perm=[0, 1, 3, 2])), mask)
    mixed = op("Transpose", op("MatMul", op("Softmax", scores, axis=-1), heads[2]), perm=[2, 0, 1, 3])
    out = blocks.shaped(blocks.dense(blocks.shaped(mixed, -1, 32), 32, 16), 6, -1, 16)
    blocks.graph.output(op("Add", x, op("Transpose", out, perm=[1, 0, 2])), "y")
    return normalize(blocks.graph.build("test"))


def both_directions(kind: str) -> Hub:
    """Two layers of two directions each, as PyTorch's, and a dense layer on the mean of all steps."""
    graph, random = GraphBuilder(), np.random.default_rng(25)
    gates = {"LSTM": 4, "GRU": 3}[kind]
    value: Any = graph.input("x", "float32", [5, "N", 4])
    for given in (4, 16):
        shapes = ((2, gates * 8, given), (2, gates * 8, 8), (2, 2 * gates * 8))
        operands = [graph.constant((0.4 * random.standard_normal(shape)).astype(np.float32)) for shape in shapes]
        value, *_ = graph.ops(
            kind, value, *operands, outputs=3 if kind == "LSTM" else 2, hidden_size=8, direction="bidirectional"
        )
        value = graph.op("Transpose", value, perm=[0, 2, 1, 3])
        value = graph.op("Reshape", value, graph.constant(np.array([5, -1, 16])))
    mean = graph.op("ReduceMean", value, graph.constant(np.array([0])), keepdims=0)
    weights = [graph.constant(random.standard_normal(shape).astype(np.float32)) for shape in ((16, 3), (3,))]
    graph.output(graph.op("Gemm", mean, *weights), "y")
    return normalize(graph.build("test"))


def words() -> Hub:
    """Embedded words, a convolution over them, the largest answer of each channel."""
    blocks = Blocks(26)
    op, number = blocks.graph.op, blocks.graph.constant
    table = number(np.random.default_rng(27).standard_normal((20, 12)).astype(np.float32))
    x = op("Gather", table, blocks.graph.input("x", "int64", ["N", 9]))
    weight = number(np.random.default_rng(28).standard_normal((24, 12, 3)).astype(np.float32) / 6)
    x = op("Relu", op("Conv", op("Transpose", x, perm=[0, 2, 1]), weight, number(np.full(24, 0.1, np.float32))))
    blocks.graph.output(blocks.dense(op("ReduceMax", x, number(np.array([2])), keepdims=0), 24, 3), "y")
    return normalize(blocks.graph.build("test"))


MORE_NETWORKS: dict[str, Callable[[], Hub]] = {
    "gated": gated,
    "shuffled": shuffled,
    "densely joined": densely_joined,
    "masked heads": masked_heads,
    "LSTM of both directions": lambda: both_directions("LSTM"),
    "GRU of both directions": lambda: both_directions("GRU"),
    "words": words,
}
