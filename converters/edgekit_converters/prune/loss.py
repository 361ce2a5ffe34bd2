"""`Judge`: how far a hub's outputs are from those of the whole network, on samples held in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import producer
from edgekit_converters.quantize.calibrate import tapped_model
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.scheme import value_name

COLLAPSE_DB = 6.0
"""Signal to noise ratio of the outputs below which a pruned network is of little use (EfficientNet-Lite0, ResNet8)."""

Feeds = dict[str, NDArray[Any]]


class Judge:
    """Compares hubs with ``hub`` on ``feeds``: before the last softmax or sigmoid, where errors have their natural size."""

    def __init__(self, hub: Hub, feeds: Sequence[Feeds]) -> None:
        self._feeds = feeds
        self._names = judged(hub)
        self._wanted = self._results(hub)
        self._signals = [_energy(parts, _centre(parts)) for parts in self._wanted]

    def loss(self, hub: Hub) -> float:
        """Squared error of the outputs over their variance: the mean over the outputs."""
        found = self._results(hub)
        shares = [
            sum(float(np.square(a - b, dtype=np.float64).sum()) for a, b in zip(one, other, strict=True)) / signal
            for one, other, signal in zip(self._wanted, found, self._signals, strict=True)
            if signal > 0
        ]
        return sum(shares) / max(1, len(shares))

    def agreement(self, hub: Hub) -> float:
        """Share of samples (or tokens) with the same largest element along the last axis of the first output."""
        found = self._results(hub)
        same = [a.argmax(axis=-1) == b.argmax(axis=-1) for a, b in zip(self._wanted[0], found[0], strict=True)]
        return float(np.mean(np.concatenate([each.reshape(-1) for each in same])))

    def _results(self, hub: Hub) -> list[list[NDArray[Any]]]:
        """By output, batch by batch."""
        session = Calculator(tapped_model(hub, self._names))
        runs = [session.run(self._names, batch) for batch in self._feeds]
        return [[run[index].astype(np.float32) for run in runs] for index in range(len(self._names))]


def decibels(loss: float) -> float:
    return -10 * math.log10(max(loss, 1e-12))


def judged(hub: Hub) -> list[str]:
    """The float outputs of a hub, each before the softmax or sigmoid that makes it."""
    names = []
    for value in hub.model.graph.outputs:
        last = producer(value, "Softmax", "LogSoftmax", "Sigmoid")
        source = last.inputs[0] if last is not None else value
        if source is not None and source.dtype == ir.DataType.FLOAT and source.producer() is not None:
            names.append(value_name(source))
    return list(dict.fromkeys(names))


def _centre(parts: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    total = sum(part.sum(axis=0, dtype=np.float64) for part in parts)
    return np.asarray(total) / sum(map(len, parts))


def _energy(parts: Sequence[NDArray[Any]], centre: NDArray[np.float64]) -> float:
    return float(sum(np.square(part - centre).sum() for part in parts))
