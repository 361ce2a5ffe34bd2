"""Several models over the same samples in one pass: the accuracy of each, and how they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.accuracy import Metric, MetricChoice, Observed, choose_metric
from edgekit.agreement import AgreementMeter
from edgekit.artifact import TensorSpec
from edgekit.batching import run_batch, run_by_sample
from edgekit.encoding import Codec
from edgekit.errors import MeasurementError, RaggedOutputError
from edgekit.figures import Agreement, MetricKind
from edgekit.protocols import Batch, Dataset, Feeds, Progress, Session, Silent

BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A model to evaluate, under the name that the results carry."""

    name: str
    session: Session


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``accuracy`` and ``agreement`` by candidate's name; ``agreement`` is with the reference, ``pairs`` with one another."""

    samples: int
    metric: MetricKind | None
    accuracy: Mapping[str, float] = field(default_factory=dict)
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], Agreement] = field(default_factory=dict)

    def drop_points(self, name: str, original: str) -> float | None:
        """How much worse a candidate is than the one named ``original``, in points; None without a metric."""
        if self.metric is None:
            return None
        return self.metric.drop_points(self.accuracy[original], self.accuracy[name])


def evaluate(
    candidates: Sequence[Candidate],
    samples: Dataset,
    *,
    metric: MetricChoice | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Run every candidate over ``samples``, whose input names are those of the first one, the reference.

    Quantized inputs and outputs are compared as real numbers. ``pairs`` names candidates to compare with one another too.
    """
    progress = progress or Silent()
    runners = {candidate.name: _Runner(candidate.session) for candidate in candidates}
    reference = candidates[0].name
    metrics: dict[str, Metric] = {name: metric.make() for name in runners} if metric else {}
    meters = {(reference, name): AgreementMeter() for name in runners if name != reference}
    meters |= {pair: AgreementMeter() for pair in pairs}
    progress.stage("evaluate", len(samples))
    count = 0
    for batch in samples.batches(BATCH):
        outputs = {name: _by_sample(runner.run(batch.feeds), batch) for name, runner in runners.items()}
        outputs = _with_equal_rows(outputs)
        _check_outputs(outputs, batch)
        for name, each in metrics.items():
            each.update(Observed(batch.feeds, outputs[name], outputs[reference], batch.labels, batch.groups))
        for (one, other), meter in meters.items():
            meter.update(outputs[one], outputs[other])
        count += len(batch)
        progress.step(len(batch))
    return Evaluation(
        samples=count,
        metric=metrics[reference].kind if metrics else None,
        accuracy={name: each.value for name, each in metrics.items()},
        agreement={name: meters[reference, name].result() for name in runners if name != reference},
        pairs={pair: meters[pair].result() for pair in pairs},
    )


def metric_or_default(name: str | None, samples: Dataset) -> MetricChoice | None:
    """The metric of that name; without one, top1 where the labels are whole numbers, and none where they are not."""
    if name is not None:
        return choose_metric(name)
    labels = next(iter(samples.batches(1))).labels
    classes = labels is not None and labels.dtype.kind in "iu" and labels.ndim == 1
    return choose_metric("top1") if classes else None


class _Runner:
    """A session that takes and gives real numbers, any number of samples at a time, under the reference's input names."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._codec = Codec.of(session.inputs, session.outputs)

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        named = _renamed(feeds, self._session.inputs)
        encoded = self._codec.encode(named)
        try:
            return self._codec.decode(run_batch(self._session, encoded))
        except RaggedOutputError:
            return self._codec.decode(run_by_sample(self._session, encoded))


def _renamed(feeds: Feeds, inputs: Sequence[TensorSpec]) -> Feeds:
    """Feeds under the session's own names: by name, or by their order where the names differ."""
    names = [spec.name for spec in inputs]
    if set(names) == set(feeds):
        return feeds
    if len(names) != len(feeds):
        raise MeasurementError(
            f"the models compared have different inputs: {', '.join(feeds)} against {', '.join(names)}"
        )
    return dict(zip(names, feeds.values(), strict=True))


def _by_sample(outputs: Mapping[str, NDArray[Any]], batch: Batch) -> dict[str, NDArray[Any]]:
    """Outputs with the samples first: of a whole sample, those without a batch of 1 in front get one."""
    if not batch.whole:
        return dict(outputs)
    return {name: array if array.shape[:1] == (1,) else array[np.newaxis] for name, array in outputs.items()}


def _with_equal_rows(
    outputs: Mapping[str, Mapping[str, NDArray[Any]]],
) -> dict[str, dict[str, NDArray[Any]]]:
    """Where candidates give different numbers of rows for a sample, zeros stand for the rows that one lacks."""
    names = {name for arrays in outputs.values() for name in arrays}
    found = {candidate: dict(arrays) for candidate, arrays in outputs.items()}
    for name in names:
        holders = [arrays for arrays in found.values() if name in arrays]
        shapes = {arrays[name].shape for arrays in holders}
        ragged = len({len(shape) for shape in shapes}) == 1 and len({(shape[:1], shape[2:]) for shape in shapes}) == 1
        if len(shapes) > 1 and ragged:
            most = max(shape[1] for shape in shapes)
            for arrays in holders:
                array = arrays[name]
                arrays[name] = np.pad(
                    array, [(0, most - n if place == 1 else 0) for place, n in enumerate(array.shape)]
                )
    return found


def _check_outputs(outputs: Mapping[str, Mapping[str, NDArray[Any]]], batch: Batch) -> None:
    for candidate, arrays in outputs.items():
        for name, array in arrays.items():
            if array.ndim == 0 or len(array) != len(batch):
                raise MeasurementError(
                    f"output {name!r} of {candidate} has shape {array.shape} for {len(batch)} samples; "
                    f"its first axis must count the samples"
                )
