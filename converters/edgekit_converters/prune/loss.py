"""`Judge`: how far a hub's outputs are from those of the whole network, on samples held in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MeasurementError
from edgekit.protocols import Batch, Dataset
from edgekit_converters.hub import Hub
from edgekit_converters.prune.judged import deciding, judged
from edgekit_converters.quantize.calibrate import tapped_model
from edgekit_converters.quantize.calibrate_feeds import full_feeds
from edgekit_converters.quantize.calibrate_session import Calculator

Feeds = dict[str, NDArray[Any]]


Outputs = dict[str, NDArray[Any]]


class Task(Protocol):
    """What a network is for, by labels of samples."""

    @property
    def name(self) -> str: ...

    def drop_points(self, batches: Sequence[Batch], whole: Sequence[Outputs], found: Sequence[Outputs]) -> float:
        """By how many points the task is done worse. Raises MeasurementError where the samples don't tell."""

    def margin_points(
        self, batches: Sequence[Batch], whole: Sequence[Outputs], found: Sequence[Outputs]
    ) -> float | None:
        """The standard error of that; None for metrics that are no mean over samples."""


@dataclass(frozen=True, slots=True)
class Quality:
    """``loss``: squared error of the outputs over their variance. ``drop_points``: by which the task is done worse; where no
    labels tell, decisions of 100 that are others; None where nothing is decided either. ``margin_points``: the standard error of
    a drop that labels tell; where the metric is no mean over samples, from above: every decision that changed counts, for better
    or worse."""

    loss: float
    drop_points: float | None
    margin_points: float = 0.0

    @property
    def points(self) -> float:
        """As the limit counts them; 0 where nothing is decided."""
        return 0.0 if self.drop_points is None else self.drop_points + self.margin_points

    @property
    def sqnr_db(self) -> float:
        return -10 * math.log10(max(self.loss, _NO_LOSS))


_NO_LOSS = 1e-12


class Judge:
    """Compares hubs with ``hub`` on all ``samples``: before the last softmax or sigmoid, where errors have their natural size.

    ``task`` is dropped where the samples have not what it needs; `judged_by` says so.
    """

    def __init__(self, hub: Hub, samples: Dataset, size: int, task: Task | None = None) -> None:
        self._feeds: list[Feeds] = [feeds for feeds, _ in full_feeds(hub, samples, size)]
        self._batches = [batch for batch, _ in zip(samples.batches(size), self._feeds, strict=False)] if task else []
        self._names = judged(hub)
        self._outputs = [spec.name for spec in hub.outputs]
        self._task = task
        self._wanted, self._answers = self._results(hub)
        self._signals = [_energy(parts, _centre(parts)) for parts in self._wanted]
        self._deciding = deciding(hub, self._names, self._wanted, self._feeds)
        self._task = self._fitting(task)

    @property
    def judged_by(self) -> str:
        """The name of the metric; "" where decisions are counted that are others."""
        return self._task.name if self._task is not None else ""

    @property
    def tells_points(self) -> bool:
        """Whether labels or decisions say what is lost, beside the signal."""
        return self._task is not None or self._deciding is not None

    def quality(self, hub: Hub) -> Quality:
        """The mean loss over the outputs; decisions of the first output that decides."""
        found, answers = self._results(hub)
        losses = [
            sum(float(np.square(a - b, dtype=np.float64).sum()) for a, b in zip(one, other, strict=True)) / signal
            for one, other, signal in zip(self._wanted, found, self._signals, strict=True)
            if signal > 0
        ]
        loss, changed = sum(losses) / max(1, len(losses)), self._changed(found)
        if self._task is None:
            return Quality(loss, None if changed is None else 100.0 * float(changed.mean()))
        drop = self._task.drop_points(self._batches, self._answers, answers)
        margin = self._task.margin_points(self._batches, self._answers, answers)
        return Quality(loss, drop, self._largest_margin(changed) if margin is None else margin)

    def _largest_margin(self, changed: NDArray[np.bool_] | None) -> float:
        """Every decision that changed counts; where nothing is decided, every sample."""
        share, count = (1.0, len(self._answers)) if changed is None else (float(changed.mean()), len(changed))
        return 100.0 * math.sqrt(share / count)

    def _changed(self, found: Sequence[Sequence[NDArray[Any]]]) -> NDArray[np.bool_] | None:
        if self._deciding is None:
            return None
        pairs = zip(self._wanted[self._deciding.output], found[self._deciding.output], strict=True)
        decide = self._deciding.decisions
        return np.concatenate([np.reshape(decide(one) != decide(other), -1) for one, other in pairs])

    def _fitting(self, task: Task | None) -> Task | None:
        try:
            known = task is not None and math.isfinite(task.drop_points(self._batches, self._answers, self._answers))
        except MeasurementError:
            return None
        return task if known else None

    def _results(self, hub: Hub) -> tuple[list[list[NDArray[Any]]], list[Outputs]]:
        """What is judged, by output, batch by batch; for a task, the model's outputs as they are, by batch."""
        names = list(dict.fromkeys((*self._names, *(self._outputs if self._task is not None else ()))))
        session = Calculator(tapped_model(hub, names))
        runs = [dict(zip(names, session.run(names, batch), strict=True)) for batch in self._feeds]
        judged = [[run[name].astype(np.float32) for run in runs] for name in self._names]
        if self._task is None:
            return judged, []
        pairs = zip(runs, self._batches, strict=True)
        return judged, [{name: run[name][: len(batch)] for name in self._outputs} for run, batch in pairs]


def _centre(parts: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    total = sum(part.sum(axis=0, dtype=np.float64) for part in parts)
    return np.asarray(total) / sum(map(len, parts))


def _energy(parts: Sequence[NDArray[Any]], centre: NDArray[np.float64]) -> float:
    return float(sum(np.square(part - centre).sum() for part in parts))
