"""A metric of one's own: ``--metric same-sign``."""

from __future__ import annotations

import numpy as np

from edgekit.accuracy import Observed
from edgekit.figures import MetricKind


class SameSign:
    """Share of the output's numbers whose sign is that of the original's; needs no labels. ``output``: its name, "" the first."""

    kind = MetricKind("same-sign")

    def __init__(self, output: str = "") -> None:
        self._output = output
        self._same = self._seen = 0

    def update(self, observed: Observed) -> None:
        name = self._output or next(iter(observed.outputs))
        position = list(observed.outputs).index(name)
        own, original = observed.outputs[name], list(observed.reference.values())[position]
        self._same += int((np.sign(own) == np.sign(original)).sum())
        self._seen += own.size

    @property
    def value(self) -> float:
        return self._same / self._seen if self._seen else float("nan")
