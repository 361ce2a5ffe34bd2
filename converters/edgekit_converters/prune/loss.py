"""`Judge`: how far a hub's outputs are from those of the whole network, on samples held in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Dataset
from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import producer
from edgekit_converters.quantize.calibrate import tapped_model
from edgekit_converters.quantize.calibrate_feeds import full_feeds
from edgekit_converters.quantize.calibrate_session import Calculator
from edgekit_converters.quantize.scheme import value_name

Feeds = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Quality:
    """``loss``: squared error of the outputs over their variance. ``changed``: share of the decisions that are others."""

    loss: float
    changed: float

    @property
    def sqnr_db(self) -> float:
        return -10 * math.log10(max(self.loss, _NO_LOSS))


_NO_LOSS = 1e-12


class Judge:
    """Compares hubs with ``hub`` on all ``samples``: before the last softmax or sigmoid, where errors have their natural size."""

    def __init__(self, hub: Hub, samples: Dataset, size: int) -> None:
        self._feeds: list[Feeds] = [feeds for feeds, _ in full_feeds(hub, samples, size)]
        self._names = judged(hub)
        self._wanted = self._results(hub)
        self._signals = [_energy(parts, _centre(parts)) for parts in self._wanted]

    def quality(self, hub: Hub) -> Quality:
        """The mean loss over the outputs; decisions along the last axis of the first output."""
        found = self._results(hub)
        losses = [
            sum(float(np.square(a - b, dtype=np.float64).sum()) for a, b in zip(one, other, strict=True)) / signal
            for one, other, signal in zip(self._wanted, found, self._signals, strict=True)
            if signal > 0
        ]
        return Quality(sum(losses) / max(1, len(losses)), _changed(self._wanted[0], found[0]))

    def _results(self, hub: Hub) -> list[list[NDArray[Any]]]:
        """By output, batch by batch."""
        session = Calculator(tapped_model(hub, self._names))
        runs = [session.run(self._names, batch) for batch in self._feeds]
        return [[run[index].astype(np.float32) for run in runs] for index in range(len(self._names))]


def judged(hub: Hub) -> list[str]:
    """The float outputs of a hub, each before the softmax or sigmoid that makes it."""
    names = []
    for value in hub.model.graph.outputs:
        last = producer(value, "Softmax", "LogSoftmax", "Sigmoid")
        source = last.inputs[0] if last is not None else value
        if source is not None and source.dtype == ir.DataType.FLOAT and source.producer() is not None:
            names.append(value_name(source))
    return list(dict.fromkeys(names))


def _changed(wanted: Sequence[NDArray[Any]], found: Sequence[NDArray[Any]]) -> float:
    others = [one.argmax(axis=-1) != other.argmax(axis=-1) for one, other in zip(wanted, found, strict=True)]
    return float(np.concatenate([np.reshape(each, -1) for each in others]).mean())


def _centre(parts: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    total = sum(part.sum(axis=0, dtype=np.float64) for part in parts)
    return np.asarray(total) / sum(map(len, parts))


def _energy(parts: Sequence[NDArray[Any]], centre: NDArray[np.float64]) -> float:
    return float(sum(np.square(part - centre).sum() for part in parts))
