"""`TaskLoss`: how much worse a network that was changed does its task, on labelled samples; what pruning is limited by."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
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

    def margin_points(self, batches: Sequence[Batch], whole: Sequence[Arrays], found: Sequence[Arrays]) -> float | None:
        """The standard error of `drop_points`, from the drop of each sample alone; None where one has none."""
        rows = zip(_rows(batches), _each(whole), _each(found), strict=True)
        drops = [self.drop_points([row], [before], [after]) for row, before, after in rows]
        if len(drops) < _FEWEST or not all(map(math.isfinite, drops)):
            return None
        return statistics.stdev(drops) / math.sqrt(len(drops))


_FEWEST = 2


def task_loss(metric: str | None, samples: Dataset) -> TaskLoss | None:
    """By the metric asked for, or by top1 where labels are classes; None where there is nothing to go by."""
    chosen = metric_or_default(metric, samples)
    return TaskLoss(chosen) if chosen is not None else None


def _rows(batches: Sequence[Batch]) -> Iterator[Batch]:
    """Sample by sample; a batch that is one sample as it is."""
    for batch in batches:
        if batch.whole:
            yield batch
            continue
        for row in range(len(batch)):
            labels, groups = (None if a is None else a[row : row + 1] for a in (batch.labels, batch.groups))
            yield Batch({name: array[row : row + 1] for name, array in batch.feeds.items()}, labels, groups)


def _each(outputs: Sequence[Arrays]) -> Iterator[Arrays]:
    for batch in outputs:
        for row in range(len(next(iter(batch.values())))):
            yield {name: array[row : row + 1] for name, array in batch.items()}


def _update(metric: Metric, batches: Sequence[Batch], outputs: Sequence[Arrays], whole: Sequence[Arrays]) -> None:
    for batch, own, reference in zip(batches, outputs, whole, strict=True):
        metric.update(Observed(batch.feeds, own, reference, batch.labels, batch.groups))
