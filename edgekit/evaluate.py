"""Several models over the same samples in one pass: the accuracy of each, and how they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.accuracy import Metric, MetricChoice, Observed, choose_metric
from edgekit.agreement import AgreementMeter
from edgekit.artifact import State, TensorSpec
from edgekit.batching import run_batch, run_by_sample
from edgekit.encoding import Codec
from edgekit.errors import MeasurementError, RaggedOutputError
from edgekit.figures import Agreement, MetricKind
from edgekit.protocols import Batch, Dataset, Feeds, Progress, Session, Silent
from edgekit.streaming import Stream

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
    states: Sequence[State] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Run every candidate over ``samples``, whose input names are those of the first one, the reference.

    Quantized inputs and outputs are compared as real numbers. ``pairs`` names candidates to compare with one another too.
    ``states``: the samples are chunks of streams, and each candidate carries its own states, which are not compared.
    """
    progress = progress or Silent()
    original = candidates[0].session
    runners = {candidate.name: _runner(candidate.session, original, states) for candidate in candidates}
    reference = candidates[0].name
    metrics: dict[str, Metric] = {name: metric.make() for name in runners} if metric else {}
    kind = metrics[reference].kind if metrics else None
    meters = {(reference, name): AgreementMeter(kind) for name in runners if name != reference}
    meters |= {pair: AgreementMeter(kind) for pair in pairs}
    progress.stage("evaluate", len(samples))
    count = 0
    for batch in samples.batches(BATCH):
        outputs = {name: _by_sample(runner.run(batch), batch) for name, runner in runners.items()}
        outputs = _with_equal_rows(outputs)
        _check_outputs(outputs, batch)
        for name, each in metrics.items():
            each.update(Observed(batch.feeds, outputs[name], outputs[reference], batch.labels, batch.groups))
        for (one, other), meter in meters.items():
            meter.update(outputs[one], outputs[other], batch.feeds)
        count += len(batch)
        progress.step(len(batch))
    return Evaluation(
        samples=count,
        metric=kind,
        accuracy={name: each.value for name, each in metrics.items()},
        agreement={name: meters[reference, name].result() for name in runners if name != reference},
        pairs={pair: meters[pair].result() for pair in pairs},
    )


def draws_noise(session: Session, samples: Dataset, states: Sequence[State] = ()) -> bool:
    """Whether the session answers the first sample differently when asked again: it draws random numbers."""
    batch = next(iter(samples.batches(1)))
    first, second = (_runner(session, session, states).run(batch) for _ in range(2))
    return any(
        first[name].dtype.kind == "f"
        and not np.allclose(first[name], second[name], rtol=1e-3, atol=1e-6, equal_nan=True)
        for name in first
    )


def metric_or_default(name: str | None, samples: Dataset) -> MetricChoice | None:
    """The metric of that name; without one, top1 where the labels are whole numbers, and none where they are not."""
    if name is not None:
        return choose_metric(name)
    labels = next(iter(samples.batches(1))).labels
    classes = labels is not None and labels.dtype.kind in "iu" and labels.ndim == 1
    return choose_metric("top1") if classes else None


class _Runs(Protocol):
    def run(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Real outputs for the batch."""


def _runner(session: Session, original: Session, states: Sequence[State]) -> _Runs:
    plain = _Runner(session)
    return _StreamRunner(plain, session, _states_of(session, original, states)) if states else plain


def _states_of(session: Session, original: Session, states: Sequence[State]) -> list[State]:
    """The states under the session's own names: by name, or by their order where the names differ."""
    inputs, outputs = _same_place(original.inputs, session.inputs), _same_place(original.outputs, session.outputs)
    return [replace(state, input=inputs[state.input], output=outputs[state.output]) for state in states]


def _same_place(specs: Sequence[TensorSpec], own: Sequence[TensorSpec]) -> dict[str, str]:
    names, others = [spec.name for spec in specs], [spec.name for spec in own]
    if set(names) == set(others):
        return {name: name for name in names}
    if len(names) != len(others):
        raise MeasurementError(
            f"the models compared have different inputs or outputs: {', '.join(names)} against {', '.join(others)}"
        )
    return dict(zip(names, others, strict=True))


class _StreamRunner:
    """A session that takes chunks of streams and carries its states from each to the next."""

    def __init__(self, plain: _Runner, session: Session, states: Sequence[State]) -> None:
        self._stream = Stream(plain.real, session.inputs, session.outputs, states)

    def run(self, batch: Batch) -> dict[str, NDArray[Any]]:
        if batch.starts:
            self._stream.reset()
        return self._stream.run(_renamed(batch.feeds, self._stream.inputs))


class _Runner:
    """A session that takes and gives real numbers, any number of samples at a time, under the reference's input names."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._codec = Codec.of(session.inputs, session.outputs)

    def run(self, batch: Batch) -> dict[str, NDArray[Any]]:
        return self.real(_renamed(batch.feeds, self._session.inputs))

    def real(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Real outputs for real feeds under the session's own names."""
        encoded = self._codec.encode(feeds)
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
