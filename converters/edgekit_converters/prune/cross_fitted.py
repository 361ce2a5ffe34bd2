"""`CrossFitted`: what cuts cost on samples that no weight was fitted to, every sample in turn.

The samples are in parts; each is judged on a network whose weights were fitted to the other parts (cross-fitting: Chernozhukov
and others, Econometrics Journal 21, 2018, C1-C68), so that all of them judge and none flatters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MeasurementError
from edgekit.metrics import class_scores
from edgekit.protocols import Progress, Silent
from edgekit_converters.hub import Hub
from edgekit_converters.prune.choice import Cutback
from edgekit_converters.prune.compensate import Compensation
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.expected_drop import Drop, expected_drop, margins
from edgekit_converters.prune.loss import Judge, Outcome, Task, largest_margin
from edgekit_converters.prune.moments import Gram, GramKey, grams, run_size
from edgekit_converters.prune.repair import repair
from edgekit_converters.prune.samples import MOST_SAMPLES, Selection
from edgekit_converters.quantize.sequential_samples import spread

MARGINS_FOR = "top1"
"""The metric whose drop the margins of decisions tell. Any other is taken of the outputs as it is."""


class CrossFitted:
    """``task`` is dropped where the samples have not what it needs; `judged_by` says so."""

    def __init__(
        self,
        hub: Hub,
        found: Dependencies,
        consumers: Sequence[Consumer],
        selection: Selection,
        task: Task | None,
        progress: Progress,
    ) -> None:
        folds, size = [*selection.folds()], run_size(hub)
        parts = [grams(hub, consumers, fold.fitted, progress) for fold in folds]
        whole = _sums(parts)
        self._hub, self._found, self._consumers = hub, found, consumers
        self._others = [fold.others for fold in folds]
        self._networks = [Compensation(hub, found, consumers, _Others(whole, part)) for part in parts]
        self._judges = [Judge(hub, fold.judged, size, task) for fold in folds]
        self._task = task if all(judge.judged_by for judge in self._judges) else None
        self._deciding = self._judges[0].deciding
        self._whole = _joined([judge.whole for judge in self._judges])
        self.samples = len(selection.judged)

    @property
    def judged_by(self) -> str:
        """The name of the metric; "" where decisions are counted that are others."""
        return self._task.name if self._task is not None else ""

    @property
    def tells_points(self) -> bool:
        """Whether labels or decisions say what is lost."""
        return self._task is not None or self._deciding is not None

    def judged(self, states: Iterator[Cutback]) -> Iterator[Cutback]:
        """The same with the drops that are found here."""
        for state in states:
            yield _with(state, self.drop([network.hub(state.stays) for network in self._networks]), repaired=False)

    def repaired(self, state: Cutback) -> Cutback:
        """The same with its drop after `repair`, which the files have too."""
        hubs = (
            repair(self._hub, self._found, self._consumers, state.stays, others, Silent()) for others in self._others
        )
        return _with(state, self.drop(hubs), repaired=True)

    def drop(self, hubs: Iterable[Hub]) -> Drop:
        """Of networks whose weights were fitted to all parts but one, in order."""
        outcomes = [judge.outcome(hub) for judge, hub in zip(self._judges, hubs, strict=True)]
        found = _joined(outcomes)
        expected = self._expected(found)
        return expected if expected is not None else self._counted(found, self._changed(outcomes))

    def _expected(self, found: Outcome) -> Drop | None:
        """From margins; None where the outputs or the metric have none."""
        if self._task is not None and self._task.name != MARGINS_FOR:
            return None
        output = 0 if self._task is not None or self._deciding is None else self._deciding.output
        before, after = (np.concatenate(outcome.judged[output]) for outcome in (self._whole, found))
        if before.ndim < 2 or before.shape[-1] < 2:
            return None
        try:
            labels = self._labels() if self._task is not None else before.argmax(axis=-1)
            (before, right), (after, _) = class_scores(before, labels), class_scores(after, labels)
        except MeasurementError:
            return None  # the metric reads another output, or in another way
        chosen = spread(len(right), min(len(right), MOST_SAMPLES))
        return expected_drop(margins(before, right)[chosen], margins(after, right)[chosen], self.samples)

    def _labels(self) -> NDArray[Any]:
        return np.concatenate([np.asarray(batch.labels) for judge in self._judges for batch in judge.batches])

    def _changed(self, outcomes: Sequence[Outcome]) -> NDArray[np.bool_] | None:
        parts = [judge.changed(outcome) for judge, outcome in zip(self._judges, outcomes, strict=True)]
        told = [part for part in parts if part is not None]
        return np.concatenate(told) if told else None

    def _counted(self, found: Outcome, changed: NDArray[np.bool_] | None) -> Drop:
        """By the metric itself; its standard error where it is a mean over samples, else every change counts."""
        error, least = largest_margin(changed, self.samples), 100.0 / self.samples
        if self._task is None:
            return Drop(100.0 if changed is None else 100.0 * float(changed.mean()), max(error, least))
        batches = [batch for judge in self._judges for batch in judge.batches]
        drop = self._task.drop_points(batches, self._whole.answers, found.answers)
        margin = self._task.margin_points(batches, self._whole.answers, found.answers)
        return Drop(drop, max(error if margin is None else margin, least))


def _with(state: Cutback, drop: Drop, *, repaired: bool) -> Cutback:
    quality = replace(state.quality, drop_points=drop.points, margin_points=drop.margin, repaired=repaired)
    return replace(state, quality=quality)


class _Others(Mapping[GramKey, Gram]):
    """What is left of sums without one part, made when it is asked for: it is large, and wanted once at a time."""

    def __init__(self, whole: Mapping[GramKey, Gram], part: Mapping[GramKey, Gram]) -> None:
        self._whole, self._part = whole, part

    def __getitem__(self, key: GramKey) -> Gram:
        return self._whole[key] - self._part[key]

    def __iter__(self) -> Iterator[GramKey]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


def _sums(parts: Sequence[Mapping[GramKey, Gram]]) -> dict[GramKey, Gram]:
    first, *others = parts
    return {key: sum((other[key] for other in others), gram) for key, gram in first.items()}


def _joined(outcomes: Sequence[Outcome]) -> Outcome:
    judged = [
        [array for arrays in each for array in arrays] for each in zip(*(o.judged for o in outcomes), strict=True)
    ]
    return Outcome(judged, [batch for outcome in outcomes for batch in outcome.answers])
