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
    or worse. ``repaired``: the drop is that of weights refitted to what the smaller network gives."""

    loss: float
    drop_points: float | None
    margin_points: float = 0.0
    repaired: bool = False

    @property
    def points(self) -> float:
        """As the limit counts them; 0 where nothing is decided."""
        return 0.0 if self.drop_points is None else self.drop_points + self.margin_points

    @property
    def sqnr_db(self) -> float:
        return -10 * math.log10(max(self.loss, _NO_LOSS))


_NO_LOSS = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a network gives. ``judged``: by output, batch by batch, before the softmax; ``answers``: for a task, its outputs,
    by batch."""

    judged: list[list[NDArray[Any]]]
    answers: list[Outputs]


class Judge:
    """Compares hubs with ``hub`` on all ``samples``: before the last softmax or sigmoid, where errors have their natural size.

    ``task`` is dropped where the samples have not what it needs; `judged_by` says so.
    """

    def __init__(self, hub: Hub, samples: Dataset, size: int, task: Task | None = None) -> None:
        self._feeds: list[Feeds] = [feeds for feeds, _ in full_feeds(hub, samples, size)]
        self.batches = [batch for batch, _ in zip(samples.batches(size), self._feeds, strict=False)] if task else []
        self._names = judged(hub)
        self._outputs = [spec.name for spec in hub.outputs]
        self._task, self._count = task, len(samples)
        self.whole = self.outcome(hub)
        self._signals = [_energy(parts, _centre(parts)) for parts in self.whole.judged]
        self.deciding = deciding(hub, self._names, self.whole.judged, self._feeds)
        self._task = self._fitting(task)

    @property
    def judged_by(self) -> str:
        """The name of the metric; "" where decisions are counted that are others."""
        return self._task.name if self._task is not None else ""

    def quality(self, hub: Hub) -> Quality:
        """The mean loss over the outputs; decisions of the first output that decides."""
        whole, found = self.whole, self.outcome(hub)
        losses = [
            sum(float(np.square(a - b, dtype=np.float64).sum()) for a, b in zip(one, other, strict=True)) / signal
            for one, other, signal in zip(whole.judged, found.judged, self._signals, strict=True)
            if signal > 0
        ]
        loss, others = sum(losses) / max(1, len(losses)), self.changed(found)
        if self._task is None:
            return Quality(loss, None if others is None else 100.0 * float(others.mean()))
        drop = self._task.drop_points(self.batches, whole.answers, found.answers)
        margin = self._task.margin_points(self.batches, whole.answers, found.answers)
        return Quality(loss, drop, largest_margin(others, self._count) if margin is None else margin)

    def changed(self, found: Outcome) -> NDArray[np.bool_] | None:
        """The decisions that are others; None where nothing is decided."""
        if self.deciding is None:
            return None
        output, decide = self.deciding.output, self.deciding.decisions
        pairs = zip(self.whole.judged[output], found.judged[output], strict=True)
        return np.concatenate([np.reshape(decide(one) != decide(other), -1) for one, other in pairs])

    def _fitting(self, task: Task | None) -> Task | None:
        try:
            known = task is not None and math.isfinite(
                task.drop_points(self.batches, self.whole.answers, self.whole.answers)
            )
        except MeasurementError:
            return None
        return task if known else None

    def outcome(self, hub: Hub) -> Outcome:
        names = list(dict.fromkeys((*self._names, *(self._outputs if self._task is not None else ()))))
        session = Calculator(tapped_model(hub, names))
        runs = [dict(zip(names, session.run(names, batch), strict=True)) for batch in self._feeds]
        judged = [[run[name].astype(np.float32) for run in runs] for name in self._names]
        if self._task is None:
            return Outcome(judged, [])
        pairs = zip(runs, self.batches, strict=True)
        return Outcome(judged, [{name: run[name][: len(batch)] for name in self._outputs} for run, batch in pairs])


def largest_margin(changed: NDArray[np.bool_] | None, samples: int) -> float:
    """The standard error of a drop in points, from above: every decision that changed counts; where nothing is decided, every
    sample."""
    share, count = (1.0, samples) if changed is None else (float(changed.mean()), len(changed))
    return 100.0 * math.sqrt(share / count)


def _centre(parts: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """The mean of the samples; of one sample zero, since it does not vary."""
    total, count = np.asarray(sum(part.sum(axis=0, dtype=np.float64) for part in parts)), sum(map(len, parts))
    return total / count if count > 1 else np.zeros_like(total)


def _energy(parts: Sequence[NDArray[Any]], centre: NDArray[np.float64]) -> float:
    return float(sum(np.square(part - centre).sum() for part in parts))
