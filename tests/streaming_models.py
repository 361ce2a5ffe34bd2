"""Models with states, for the tests of streams: what a whole sequence gives is known, so that chunks can be compared with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder

CHANNELS, UNITS, KERNEL = 4, 6, 3


def chunk_network(steps: int, *, carried: bool = True, second: str = "") -> Hub:
    """A convolution over time and a GRU behind it, for chunks of ``steps``: ``x`` (1, channels, steps) to ``y`` (1, units).

    ``carried``: it takes the end of the chunk before (``cache``) and the GRU's state (``hidden``) and gives ``new_cache`` and
    ``new_hidden``; otherwise it begins with zeros. ``second``: a further output of the cache under that name.
    """
    graph, random = GraphBuilder(), np.random.default_rng(4)

    def weights(*shape: int) -> Any:
        return graph.constant((random.standard_normal(shape) / np.sqrt(shape[-1] * 2)).astype(np.float32))

    kernel, rows, recurrent = (
        weights(UNITS, CHANNELS, KERNEL),
        weights(1, 3 * UNITS, UNITS),
        weights(1, 3 * UNITS, UNITS),
    )
    head = weights(UNITS, UNITS)
    x = graph.input("x", "float32", (1, CHANNELS, steps))
    cache = _start(graph, "cache", (1, CHANNELS, KERNEL - 1), carried)
    hidden = _start(graph, "hidden", (1, 1, UNITS), carried)
    whole = graph.op("Concat", cache, x, axis=2)
    features = graph.op("Relu", graph.op("Conv", whole, kernel, name="conv", kernel_shape=[KERNEL]))
    series = graph.op("Transpose", features, perm=[2, 0, 1])
    _, last = graph.ops("GRU", series, rows, recurrent, None, None, hidden, outputs=2, name="gru", hidden_size=UNITS)
    squeezed = graph.op("Squeeze", last, graph.constant(np.array([0])))
    graph.output(graph.op("MatMul", squeezed, head, name="head"), "y")
    if carried:
        ends = [graph.constant(np.array([end])) for end in (1 - KERNEL, 2**31, 2)]
        graph.output(graph.op("Slice", whole, *ends), "new_cache")
        graph.output(graph.op("Identity", last), "new_hidden")
        if second:
            graph.output(graph.op("Slice", whole, *ends), second)
    return graph.build("test")


def conv_network(steps: int, *, carried: bool = True) -> Hub:
    """Two convolutions over time, the first with a ``cache``: ``x`` (1, channels, 1, steps) to ``y`` (1, units, 1, steps)."""
    graph, random = GraphBuilder(), np.random.default_rng(4)
    kernels = [
        graph.constant((random.standard_normal(shape) / 3).astype(np.float32))
        for shape in ((UNITS, CHANNELS, 1, KERNEL), (UNITS, UNITS, 1, 1))
    ]
    x = graph.input("x", "float32", (1, CHANNELS, 1, steps))
    whole = graph.op("Concat", _start(graph, "cache", (1, CHANNELS, 1, KERNEL - 1), carried), x, axis=3)
    features = graph.op("Relu", graph.op("Conv", whole, kernels[0], name="conv", kernel_shape=[1, KERNEL]))
    graph.output(graph.op("Conv", features, kernels[1], name="head", kernel_shape=[1, 1]), "y")
    if carried:
        ends = [graph.constant(np.array([end])) for end in (1 - KERNEL, 2**31, 3)]
        graph.output(graph.op("Slice", whole, *ends), "new_cache")
    return graph.build("test")


def write_onnx_file(hub: Hub, path: Path) -> Path:
    path.write_bytes(hub.to_bytes())
    return path


def signal(steps: int, seed: int = 0) -> NDArray[np.float32]:
    """(1, channels, steps): smooth noise."""
    noise = np.random.default_rng(seed).standard_normal((1, CHANNELS, steps + 7))
    return np.apply_along_axis(np.convolve, 2, noise, np.ones(8) / np.sqrt(8), "valid").astype(np.float32)


def chunks_of_signal(whole: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """(chunks, channels, steps)."""
    return np.ascontiguousarray(np.concatenate(np.split(whole, whole.shape[2] // steps, axis=2)))


def _start(graph: GraphBuilder, name: str, shape: tuple[int, ...], carried: bool) -> Any:
    return graph.input(name, "float32", shape) if carried else graph.constant(np.zeros(shape, np.float32))
