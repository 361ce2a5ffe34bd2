"""The built-in task metrics; each is a `edgekit.accuracy.Metric`. ``output`` names the output to judge, "" the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.accuracy import Arrays, Observed
from edgekit.errors import MeasurementError, UnknownNameError
from edgekit.figures import MetricKind


class TopK:
    """Share of positions whose label is among the ``k`` highest scores; a position with a NaN score counts as wrong."""

    def __init__(self, k: int, output: str = "") -> None:
        self.kind = MetricKind(f"top{k}")
        self._k, self._output = k, output
        self._right = self._seen = 0

    def update(self, observed: Observed) -> None:
        scores, labels = class_scores(_chosen(observed.outputs, self._output), _labels(observed, self.kind.name))
        own = scores[np.arange(len(labels)), labels][:, None]
        earlier = np.arange(scores.shape[1]) < labels[:, None]
        # As a stable sort would rank it: equal scores go to the lower class, as argmax has it.
        rank = (scores > own).sum(axis=1) + ((scores == own) & earlier).sum(axis=1)
        self._right += int(((rank < self._k) & np.isfinite(scores).all(axis=1)).sum())
        self._seen += len(labels)

    @property
    def value(self) -> float:
        return _ratio(self._right, self._seen)


class _PerClass:
    """Counts a class: how often it is the label, how often it is predicted, how often both."""

    def __init__(self) -> None:
        self.actual = self.predicted = self.both = np.zeros(0, np.int64)

    def count(self, scores: NDArray[Any], labels: NDArray[Any]) -> None:
        classes = scores.shape[1]
        predicted = scores.argmax(axis=1)
        hits = labels[predicted == labels]
        self.actual = _grown(self.actual, classes) + np.bincount(labels, minlength=classes)
        self.predicted = _grown(self.predicted, classes) + np.bincount(predicted, minlength=classes)
        self.both = _grown(self.both, classes) + np.bincount(hits, minlength=classes)


class BalancedAccuracy:
    """Mean over the classes that occur of the share of their samples that is recognized."""

    kind = MetricKind("balanced-accuracy")

    def __init__(self, output: str = "") -> None:
        self._output, self._counts = output, _PerClass()

    def update(self, observed: Observed) -> None:
        outputs = _chosen(observed.outputs, self._output)
        self._counts.count(*class_scores(outputs, _labels(observed, self.kind.name)))

    @property
    def value(self) -> float:
        occurs = self._counts.actual > 0
        recalls = self._counts.both[occurs] / self._counts.actual[occurs]
        return float(recalls.mean()) if recalls.size else float("nan")


class F1:
    """Macro F1: mean over the classes that occur of 2 both / (actual + predicted)."""

    kind = MetricKind("f1")

    def __init__(self, output: str = "") -> None:
        self._output, self._counts = output, _PerClass()

    def update(self, observed: Observed) -> None:
        outputs = _chosen(observed.outputs, self._output)
        self._counts.count(*class_scores(outputs, _labels(observed, self.kind.name)))

    @property
    def value(self) -> float:
        occurs = self._counts.actual > 0
        scores = 2 * self._counts.both[occurs] / (self._counts.actual + self._counts.predicted)[occurs]
        return float(scores.mean()) if scores.size else float("nan")


class BinaryAccuracy:
    """Share of samples whose one score is above .5 exactly when the label is 1."""

    kind = MetricKind("binary-accuracy")

    def __init__(self, output: str = "") -> None:
        self._output = output
        self._right = self._seen = 0

    def update(self, observed: Observed) -> None:
        labels = _labels(observed, self.kind.name).reshape(-1)
        scores = _one_score(_chosen(observed.outputs, self._output), self.kind.name)
        self._right += int((((scores > 0.5) == (labels > 0.5)) & np.isfinite(scores)).sum())
        self._seen += len(labels)

    @property
    def value(self) -> float:
        return _ratio(self._right, self._seen)


class _Mean:
    """Mean of all numbers added so far; not a number before the first."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, values: NDArray[Any]) -> None:
        self._sum += float(values.sum())
        self._count += values.size

    @property
    def value(self) -> float:
        return _ratio(self._sum, self._count)


class MeanError:
    """Mean of ``errors`` over all their numbers, the lower the better."""

    def __init__(self, name: str, errors: Callable[[Observed], NDArray[Any]]) -> None:
        self.kind = MetricKind(name, higher_is_better=False, points_per_unit=None)
        self._errors, self._mean = errors, _Mean()

    def update(self, observed: Observed) -> None:
        self._mean.add(self._errors(observed))

    @property
    def value(self) -> float:
        return self._mean.value


def squared_error(output: str = "") -> MeanError:
    """Mean squared difference between the output and the labels."""
    return MeanError("mse", lambda observed: np.square(_off_labels(observed, output, "mse")))


def absolute_error(output: str = "") -> MeanError:
    """Mean absolute difference between the output and the labels."""
    return MeanError("mae", lambda observed: np.abs(_off_labels(observed, output, "mae")))


def reconstruction_error(output: str = "") -> MeanError:
    """Mean squared difference between an autoencoder's output and its input."""
    return MeanError("reconstruction-mse", lambda observed: _reconstruction_errors(observed, output))


def _off_labels(observed: Observed, output: str, metric: str) -> NDArray[Any]:
    return _difference(_chosen(observed.outputs, output), _labels(observed, metric), "labels")


class _Ranking:
    """Scores and labels (1: positive) of all samples, averaged over the samples of a group where there are groups."""

    def __init__(self) -> None:
        self._scores: list[NDArray[Any]] = []
        self._labels: list[NDArray[Any]] = []
        self._groups: list[NDArray[Any]] = []

    def add(self, scores: NDArray[Any], labels: NDArray[Any], groups: NDArray[Any] | None) -> None:
        self._scores.append(scores)
        self._labels.append(labels.reshape(-1) > 0.5)
        if groups is not None:
            self._groups.append(groups)

    def area(self) -> float:
        """Area under the ROC curve by the rank sum (Mann and Whitney 1947); equal scores share their mean rank."""
        if not self._scores:
            return float("nan")
        scores, labels = np.concatenate(self._scores), np.concatenate(self._labels)
        if self._groups:
            _, member = np.unique(np.concatenate(self._groups), return_inverse=True)
            labels = np.bincount(member, labels) > 0
            scores = np.bincount(member, scores) / np.bincount(member)
        positives = int(labels.sum())
        negatives = len(labels) - positives
        if not positives or not negatives or not np.isfinite(scores).all():
            return float("nan")
        _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
        mean_rank = np.cumsum(count) - (count - 1) / 2
        rank_sum = float(mean_rank[place][labels].sum())
        return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


class Auc:
    """Area under the ROC curve of one score a sample, or of the second of two; labels are 0 and 1."""

    kind = MetricKind("auc")

    def __init__(self, output: str = "") -> None:
        self._output, self._ranking = output, _Ranking()

    def update(self, observed: Observed) -> None:
        scores = _one_score(_chosen(observed.outputs, self._output), self.kind.name)
        self._ranking.add(scores, _labels(observed, self.kind.name), observed.groups)

    @property
    def value(self) -> float:
        return self._ranking.area()


class AnomalyAuc:
    """Area under the ROC curve of an autoencoder's reconstruction error; label 1 marks an anomaly.

    With a group a sample (the windows of one recording, say) the score is the mean over the group.
    """

    kind = MetricKind("anomaly-auc")

    def __init__(self, output: str = "") -> None:
        self._output, self._ranking = output, _Ranking()

    def update(self, observed: Observed) -> None:
        errors = _reconstruction_errors(observed, self._output)
        self._ranking.add(errors, _labels(observed, self.kind.name), observed.groups)

    @property
    def value(self) -> float:
        return self._ranking.area()


class Cosine:
    """Mean cosine between a sample's output and the original's (embeddings)."""

    kind = MetricKind("cosine")

    def __init__(self, output: str = "") -> None:
        self._output, self._mean = output, _Mean()

    def update(self, observed: Observed) -> None:
        found = _flat(_chosen(observed.outputs, self._output))
        names = list(observed.outputs)
        place = names.index(self._output) if self._output else 0
        original = _flat(list(observed.reference.values())[place])
        self._mean.add(cosines(original, found))

    @property
    def value(self) -> float:
        return self._mean.value


class UserFunction:
    """A function of the user's, ``function(outputs, labels) -> float``, called once with all samples.

    Its attributes ``higher_is_better`` and ``points_per_unit`` are taken where it has them.
    """

    def __init__(self, name: str, function: Callable[..., Any], output: str = "") -> None:
        better, points = getattr(function, "higher_is_better", True), getattr(function, "points_per_unit", 100.0)
        self.kind = MetricKind(name, better, points)
        self._function, self._output = function, output
        self._outputs: list[NDArray[Any]] = []
        self._labels: list[NDArray[Any]] = []

    def update(self, observed: Observed) -> None:
        self._outputs.append(_chosen(observed.outputs, self._output))
        if observed.labels is not None:
            self._labels.append(observed.labels)

    @property
    def value(self) -> float:
        labels = np.concatenate(self._labels) if self._labels else None
        found = self._function(np.concatenate(self._outputs), labels)
        try:
            return float(found)
        except (TypeError, ValueError) as error:
            raise MeasurementError(f"metric {self.kind.name} returned {found!r}; expected a number") from error


def class_scores(outputs: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Scores (positions, classes) and labels (positions,), from outputs (N, classes), (N, ..., classes) or (N, classes, ...).

    Labels are class indices, or one-hot in the outputs' own shape. Raises MeasurementError when they don't fit.
    """
    if labels.shape == (*outputs.shape[:-1], 1) and outputs.shape[-1] > 1:
        labels = labels[..., 0]
    if labels.shape == outputs.shape and outputs.shape[-1] > 1:
        labels = labels.argmax(axis=-1)
    if outputs.shape[:1] + outputs.shape[2:] == labels.shape != outputs.shape[:-1]:
        outputs = np.moveaxis(outputs, 1, -1)
    if outputs.ndim < 2 or labels.shape != outputs.shape[:-1]:
        raise MeasurementError(
            f"outputs have shape {outputs.shape} and labels {labels.shape}; expected a score a class and a class index a sample"
        )
    if outputs.shape[-1] == 1:
        raise MeasurementError("the output has one score a sample; take the metric binary-accuracy or auc for it")
    scores, indices = outputs.reshape(-1, outputs.shape[-1]), labels.reshape(-1)
    if not (indices == np.rint(indices)).all() or indices.min() < 0 or indices.max() >= scores.shape[1]:
        raise MeasurementError(
            f"labels reach from {indices.min()} to {indices.max()}; expected class indices from 0 to {scores.shape[1] - 1}"
        )
    return scores, indices.astype(np.int64)


def cosines(reference: NDArray[Any], found: NDArray[Any]) -> NDArray[np.float64]:
    """Cosine of each row; 1 where both are zero."""
    norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(found, axis=1)
    both_zero = ~reference.any(axis=1) & ~found.any(axis=1)
    products = np.einsum("ij,ij->i", reference, found)
    result: NDArray[np.float64] = np.where(both_zero, 1.0, products / np.where(norms == 0, 1.0, norms))
    return result


def _chosen(outputs: Arrays, name: str) -> NDArray[Any]:
    if not name:
        return next(iter(outputs.values()))
    if name not in outputs:
        raise UnknownNameError("output", name, outputs)
    return outputs[name]


def _labels(observed: Observed, metric: str) -> NDArray[Any]:
    if observed.labels is None:
        raise MeasurementError(
            f"the metric {metric} needs labels, but the samples have none. "
            f"Save them as y in the .npz file, or say where they are with --labels."
        )
    return observed.labels


def _difference(outputs: NDArray[Any], wanted: NDArray[Any], what: str) -> NDArray[np.float64]:
    if outputs.size != wanted.size or len(outputs) != len(wanted):
        raise MeasurementError(f"outputs have shape {outputs.shape} but the {what} {wanted.shape}; expected the same")
    difference: NDArray[np.float64] = outputs.astype(np.float64).reshape(-1) - wanted.astype(np.float64).reshape(-1)
    return difference


def _reconstruction_errors(observed: Observed, output: str) -> NDArray[np.float64]:
    """Mean squared error of each sample against the first input."""
    outputs = _chosen(observed.outputs, output)
    difference = _difference(outputs, next(iter(observed.feeds.values())), "inputs")
    errors: NDArray[np.float64] = np.square(difference).reshape(len(outputs), -1).mean(axis=1)
    return errors


def _one_score(outputs: NDArray[Any], metric: str) -> NDArray[Any]:
    flat = _flat(outputs)
    if flat.shape[1] > 2:
        raise MeasurementError(f"the metric {metric} needs one score a sample, or two; the output has {flat.shape[1]}")
    return flat[:, -1]


def _flat(array: NDArray[Any]) -> NDArray[np.float64]:
    flat: NDArray[np.float64] = array.reshape(len(array), -1).astype(np.float64)
    return flat


def _grown(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return counts if counts.size else np.zeros(size, np.int64)


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")
