"""Networks of every kind of layer that can hold zeros, with random weights and inputs that depend on one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.protocols import Batch
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder


class Samples:
    """``x``, of ``shape`` a sample, from fewer causes than it has numbers."""

    def __init__(self, shape: tuple[int, ...], count: int = 64) -> None:
        random = np.random.default_rng(11)
        size = int(np.prod(shape))
        causes = random.standard_normal((count, max(4, size // 4))) @ random.standard_normal((max(4, size // 4), size))
        self.x = (causes / np.sqrt(size // 4) + 0.2 * random.standard_normal((count, size))).astype(np.float32)
        self.x = self.x.reshape(count, *shape)

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            yield Batch({"x": self.x[start : start + size]})


class Layers:
    """Layers with weights, one behind the other."""

    def __init__(self, *shape: int) -> None:
        self.graph, self.shape = GraphBuilder(), shape
        self._random = np.random.default_rng(4)
        self.x = self.graph.input("x", "float32", ["n", *shape])

    def weight(self, *shape: int, fan_in: int) -> Any:
        return self.graph.constant((self._random.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32))

    def bias(self, size: int) -> Any:
        return self.graph.constant((0.2 * self._random.standard_normal(size)).astype(np.float32))

    def conv(self, x: Any, given: int, made: int, kernel: int = 3, group: int = 1, **attributes: Any) -> Any:
        weight = self.weight(made, given // group, kernel, kernel, fan_in=given // group * kernel**2)
        settings = {"pads": [kernel // 2] * 4} | attributes
        return self.graph.op("Conv", x, weight, self.bias(made), group=group, **settings)

    def relu(self, x: Any) -> Any:
        return self.graph.op("Relu", x)

    def dense(self, x: Any, given: int, made: int) -> Any:
        return self.graph.op("Gemm", x, self.weight(given, made, fan_in=given), self.bias(made))

    def built(self, y: Any) -> Hub:
        self.graph.output(y, "y")
        return self.graph.build("test")


def picture_classifier() -> tuple[Hub, Samples]:
    """Convolutions: plain, depthwise, pointwise, with strides; a dense layer."""
    net = Layers(4, 12, 12)
    x = net.relu(net.conv(net.x, 4, 16, strides=[2, 2]))
    x = net.relu(net.conv(x, 16, 16, group=16))
    x = net.relu(net.conv(x, 16, 32, kernel=1))
    x = net.relu(net.conv(x, 32, 32, group=2))
    x = net.graph.op("Flatten", net.graph.op("GlobalAveragePool", x))
    return net.built(net.dense(x, 32, 12)), Samples(net.shape)


def decoder() -> tuple[Hub, Samples]:
    """Transposed convolutions."""
    net = Layers(16, 4, 4)
    up = net.graph.op(
        "ConvTranspose", net.x, net.weight(16, 12, 4, 4, fan_in=64), net.bias(12), strides=[2, 2], pads=[1] * 4
    )
    up = net.relu(up)
    last = net.graph.op("ConvTranspose", up, net.weight(12, 4, 2, 2, fan_in=12), net.bias(4), strides=[2, 2])
    return net.built(last), Samples(net.shape)


def tokens() -> tuple[Hub, Samples]:
    """Products of rows and weights, without biases of their own."""
    net = Layers(6, 16)
    up = net.relu(net.graph.op("MatMul", net.x, net.weight(16, 48, fan_in=16)))
    return net.built(net.graph.op("MatMul", up, net.weight(48, 16, fan_in=48))), Samples(net.shape)


def recurrent(kind: str, gates: int) -> Callable[[], tuple[Hub, Samples]]:
    """A recurrent layer, time first as the hub has it, and a dense one on its last state."""

    def made() -> tuple[Hub, Samples]:
        net, units = Layers(7, 12), 16
        steps = net.graph.op("Transpose", net.x, perm=[1, 0, 2])
        weights = [net.weight(1, gates * units, size, fan_in=2 * size) for size in (12, units)]
        states = net.graph.ops(kind, steps, *weights, outputs=2, hidden_size=units)[1]
        last = net.graph.op("Squeeze", states, net.graph.constant(np.array([0])))
        return net.built(net.dense(last, units, 8)), Samples(net.shape)

    return made


NETWORKS: dict[str, Callable[[], tuple[Hub, Samples]]] = {
    "pictures": picture_classifier,
    "decoder": decoder,
    "tokens": tokens,
    "RNN": recurrent("RNN", 1),
    "LSTM": recurrent("LSTM", 4),
    "GRU": recurrent("GRU", 3),
}


def answers(hub: Hub, x: NDArray[np.float32]) -> NDArray[np.float32]:
    from edgekit_converters.hub.run import hub_session

    return hub_session(hub).run({"x": x})["y"]
