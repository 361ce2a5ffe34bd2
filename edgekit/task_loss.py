"""`TaskLoss`: how much worse a network that was changed does its task, on labelled samples; what pruning is limited by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.accuracy import Arrays, Metric, MetricChoice, Observed
from edgekit.evaluate import metric_or_default
from edgekit.protocols import Batch, Dataset


@dataclass(frozen=True, slots=True)
class TaskLoss:
    """``name``: of the metric."""

    metric: MetricChoice

    @property
    def name(self) -> str:
        return self.metric.text

    def drop_points(self, batches: Sequence[Batch], whole: Sequence[Arrays], found: Sequence[Arrays]) -> float:
        """By which ``found`` is worse than ``whole``. Raises MeasurementError where labels or outputs don't fit the metric."""
        before, after = self.metric.make(), self.metric.make()
        for metric, outputs in ((before, whole), (after, found)):
            _update(metric, batches, outputs, whole)
        return before.kind.drop_points(before.value, after.value)


def task_loss(metric: str | None, samples: Dataset) -> TaskLoss | None:
    """By the metric asked for, or by top1 where labels are classes; None where there is nothing to go by."""
    chosen = metric_or_default(metric, samples)
    return TaskLoss(chosen) if chosen is not None else None


def _update(metric: Metric, batches: Sequence[Batch], outputs: Sequence[Arrays], whole: Sequence[Arrays]) -> None:
    for batch, own, reference in zip(batches, outputs, whole, strict=True):
        metric.update(Observed(batch.feeds, own, reference, batch.labels, batch.groups))
