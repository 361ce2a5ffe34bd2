"""Recurrent layers as hubs, for the tests of the passes, the plan and the writers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def recurrent(
    kind: str,
    *,
    steps: int = 7,
    batch: int = 1,
    inputs: int = 4,
    units: int = 5,
    direction: str = "forward",
    outputs: Sequence[int] | None = None,
    bias: bool = True,
    states: bool = False,
    peepholes: bool = False,
    lengths: Sequence[int] | None = None,
    **attributes: Any,
) -> Hub:
    """One layer: input ``x`` (steps, batch, inputs), with ``states`` also ``h`` and ``c``; outputs ``y0``, ``y1``, ``y2``."""
    graph, random = GraphBuilder(), np.random.default_rng(5)
    directions, rows = 2 if direction == "bidirectional" else 1, GATES[kind] * units
    count = 3 if kind == "LSTM" else 2

    def weights(*shape: int) -> Any:
        size = 0.3 if len(shape) == 1 else 1 / np.sqrt(shape[1])
        return graph.constant((size * random.standard_normal((directions, *shape))).astype(np.float32), "weights")

    def state(name: str) -> Any:
        return graph.input(name, "float32", (directions, batch, units)) if states else None

    values = [graph.input("x", "float32", (steps, batch, inputs)), weights(rows, inputs), weights(rows, units)]
    values.append(weights(2 * rows) if bias else None)
    values.append(None if lengths is None else graph.constant(np.array(lengths, np.int32), "lengths"))
    values.append(state("h"))
    if kind == "LSTM":
        values += [state("c"), weights(3 * units) if peepholes else None]
    settings = {"hidden_size": units, "direction": direction} | attributes
    made = graph.ops(kind, *values, outputs=count, name="layer", **settings)
    for index in range(count) if outputs is None else outputs:
        graph.output(made[index], f"y{index}")
    return graph.build("test")


def last_step_of(kind: str, direction: str, index: Any, *, squeezed: bool = True) -> Hub:
    """A layer whose output at one step, batch-first as PyTorch exports it, is the output ``y`` (batch, units)."""
    graph, random = GraphBuilder(), np.random.default_rng(5)
    rows = GATES[kind] * 5
    weights = [graph.constant(random.standard_normal((1, rows, size)).astype(np.float32)) for size in (4, 5)]
    x = graph.input("x", "float32", (7, "batch", 4))
    value = graph.ops(kind, x, *weights, outputs=1, hidden_size=5, direction=direction)[0]
    axis = 0
    if squeezed:
        value, axis = graph.op("Squeeze", value, graph.constant(np.array([1]))), 1
        value = graph.op("Transpose", value, perm=[1, 0, 2])
    graph.output(graph.op("Gather", value, graph.constant(np.array(index)), axis=axis), "y")
    return graph.build("test")
