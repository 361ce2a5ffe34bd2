"""Task metrics: how well a model does its job, in one pass over the samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from edgekit import registry
from edgekit.errors import UnknownNameError
from edgekit.figures import MetricKind
from edgekit.protocols import Feeds
from edgekit.user_function import load_function

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Some samples and what a model made of them, as real numbers; ``reference`` are the original's outputs.

    The keys of ``feeds`` are the dataset's input names, those of ``outputs`` the model's own.
    """

    feeds: Feeds
    outputs: Arrays
    reference: Arrays
    labels: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None


class Metric(Protocol):
    """Takes batches, gives one figure. Exists so that no metric needs all outputs in memory unless its formula does."""

    @property
    def kind(self) -> MetricKind: ...

    def update(self, observed: Observed) -> None:
        """Raises MeasurementError when labels or shapes are not what the metric needs."""

    @property
    def value(self) -> float:
        """The figure so far; not a number when it is undefined."""


@dataclass(frozen=True, slots=True)
class MetricChoice:
    """A metric as the user named it: ``top1``, ``top5@logits`` (an output's name) or ``module:function``."""

    text: str
    make: Callable[[], Metric]


def choose_metric(text: str) -> MetricChoice:
    """Parse a metric's name. ``make`` gives a fresh instance for each model. Raises UsageError or UnknownNameError."""
    name, _, output = text.partition("@")
    if ":" in name:
        function = load_function(name, "metric")
        return MetricChoice(text, lambda: _user_metric(name, function, output))
    top = re.fullmatch(r"top([1-9]\d*)", name)
    if top:
        top_k, k = registry.metric(_TOP_K), int(top[1])
        return MetricChoice(text, lambda: top_k(k, output))
    known = metric_names()
    if name not in known:
        raise UnknownNameError("metric", name, known)
    kind = registry.metric(name)
    return MetricChoice(text, lambda: kind(output))


def metric_names() -> tuple[str, ...]:
    """Every name a metric can be chosen by; any other number may stand for the 5 of top5."""
    return ("top1", "top5", *(name for name in registry.names("metric") if name != _TOP_K))


_TOP_K = "topk"


def _user_metric(name: str, function: Callable[..., Any], output: str) -> Metric:
    from edgekit.metrics import UserFunction

    return UserFunction(name, function, output)
