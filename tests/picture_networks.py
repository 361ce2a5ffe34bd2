"""Small networks that make or judge pictures, of every block that generative and vision networks are built of; random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder

Feeds = dict[str, np.ndarray]


class Blocks:
    """Layers with weights that keep the size of what passes through them."""

    def __init__(self, seed: int) -> None:
        self.graph = GraphBuilder()
        self._random = np.random.default_rng(seed)

    def conv(self, x: Any, given: int, channels: int, kernel: int = 3, stride: int = 1, group: int = 1) -> Any:
        operands = self._weights((channels, given // group, kernel, kernel), given // group * kernel**2, channels)
        pads = [(kernel - 1) // 2] * 4
        return self.graph.op("Conv", x, *operands, pads=pads, strides=[stride] * 2, group=group)

    def rise(self, x: Any, given: int, channels: int, kernel: int) -> Any:
        """A transposed convolution to twice the side."""
        operands = self._weights((given, channels, kernel, kernel), given * kernel**2 // 4, channels)
        return self.graph.op("ConvTranspose", x, *operands, strides=[2, 2], pads=[kernel // 2 - 1] * 4)

    def dense(self, x: Any, given: int, channels: int) -> Any:
        return self.graph.op("Gemm", x, *self._weights((given, channels), given, channels))

    def silu(self, x: Any) -> Any:
        return self.graph.op("Mul", x, self.graph.op("Sigmoid", x))

    def shaped(self, x: Any, *shape: int) -> Any:
        return self.graph.op("Reshape", x, self.graph.constant(np.array(shape, np.int64)))

    def _weights(self, shape: tuple[int, ...], fan_in: int, channels: int) -> tuple[Any, Any]:
        weight = self._random.standard_normal(shape) * np.sqrt(2 / fan_in)
        bias = 0.1 * self._random.standard_normal(channels)
        return self.graph.constant(weight.astype(np.float32)), self.graph.constant(bias.astype(np.float32))


def generator() -> Hub:
    """As a DCGAN's: dense, transposed convolutions, tanh."""
    blocks = Blocks(1)
    op = blocks.graph.op
    x = op("Relu", blocks.dense(blocks.graph.input("noise", "float32", ["N", 16]), 16, 32 * 16))
    x = op("Relu", blocks.rise(blocks.shaped(x, -1, 32, 4, 4), 32, 16, 4))
    x = op("Relu", blocks.rise(x, 16, 16, 4))
    blocks.graph.output(op("Tanh", blocks.conv(x, 16, 1)), "picture")
    return blocks.graph.build("test")


def upscaler() -> Hub:
    """Dense residual blocks, a pixel shuffle, the enlarged input added."""
    blocks = Blocks(2)
    op, x = blocks.graph.op, blocks.graph.input("small", "float32", ["N", 3, 12, 12])
    first = blocks.conv(x, 3, 16)
    known = op("Concat", first, op("LeakyRelu", blocks.conv(first, 16, 8), alpha=0.2), axis=1)
    known = op("Concat", known, op("LeakyRelu", blocks.conv(known, 24, 8), alpha=0.2), axis=1)
    trunk = op("Add", first, blocks.conv(known, 32, 16))
    wide = op("DepthToSpace", blocks.conv(trunk, 16, 32), blocksize=2, mode="CRD")
    scales = blocks.graph.constant(np.array([1, 1, 2, 2], np.float32))
    none = blocks.graph.constant(np.zeros(0, np.float32))
    large = op("Resize", x, none, scales, mode="linear")
    blocks.graph.output(op("Add", large, blocks.conv(wide, 8, 3)), "large")
    return blocks.graph.build("test")


def unet() -> Hub:
    """Two scales with a skip by concatenation; the input is added at the end."""
    blocks = Blocks(3)
    op, x = blocks.graph.op, blocks.graph.input("noisy", "float32", ["N", 3, 16, 16])
    fine = op("Relu", blocks.conv(x, 3, 16))
    coarse = op("Relu", blocks.conv(op("MaxPool", fine, kernel_shape=[2, 2], strides=[2, 2]), 16, 32))
    joined = op("Concat", blocks.rise(coarse, 32, 16, 2), fine, axis=1)
    made = blocks.conv(op("Relu", blocks.conv(joined, 32, 16)), 16, 3, kernel=1)
    blocks.graph.output(op("Add", x, made), "clean")
    return blocks.graph.build("test")


def autoencoder() -> Hub:
    """A variational autoencoder whose noise is an input."""
    blocks = Blocks(4)
    op = blocks.graph.op
    picture = blocks.graph.input("picture", "float32", ["N", 1, 8, 8])
    noise = blocks.graph.input("noise", "float32", ["N", 6])
    hidden = op("Flatten", op("Relu", blocks.conv(picture, 1, 16, stride=2)))
    mean, spread = blocks.dense(hidden, 256, 6), blocks.dense(hidden, 256, 6)
    half = blocks.graph.constant(np.array(0.1, np.float32))
    latent = op("Add", mean, op("Mul", op("Exp", op("Mul", spread, half)), noise))
    x = blocks.shaped(op("Relu", blocks.dense(latent, 6, 256)), -1, 16, 4, 4)
    scales = blocks.graph.constant(np.array([1, 1, 2, 2], np.float32))
    none = blocks.graph.constant(np.zeros(0, np.float32))
    x = op("Resize", x, none, scales, mode="nearest")
    blocks.graph.output(op("Sigmoid", blocks.conv(op("Relu", blocks.conv(x, 16, 16)), 16, 1)), "made")
    return blocks.graph.build("test")


def efficient() -> Hub:
    """An EfficientNet block with SiLU, squeeze and excitation, and a residual."""
    blocks = Blocks(5)
    op, x = blocks.graph.op, blocks.graph.input("picture", "float32", ["N", 3, 16, 16])
    stem = blocks.silu(blocks.conv(x, 3, 16, stride=2))
    wide = blocks.silu(blocks.conv(stem, 16, 48, kernel=1))
    wide = blocks.silu(blocks.conv(wide, 48, 48, group=48))
    gate = blocks.silu(blocks.conv(op("GlobalAveragePool", wide), 48, 8, kernel=1))
    wide = op("Mul", wide, op("Sigmoid", blocks.conv(gate, 8, 48, kernel=1)))
    x = op("Add", stem, blocks.conv(wide, 48, 16, kernel=1))
    head = blocks.silu(blocks.conv(x, 16, 32, kernel=1))
    blocks.graph.output(blocks.dense(op("Flatten", op("GlobalAveragePool", head)), 32, 10), "logits")
    return blocks.graph.build("test")


NETWORKS: dict[str, Callable[[], Hub]] = {
    "generator": generator,
    "upscaler": upscaler,
    "unet": unet,
    "autoencoder": autoencoder,
    "efficient": efficient,
}


def samples(hub: Hub, count: int, seed: int) -> Feeds:
    random = np.random.default_rng(seed)
    shapes = {spec.name: spec.shape[1:] for spec in hub.inputs}
    return {name: random.standard_normal((count, *shape)).astype(np.float32) for name, shape in shapes.items()}
