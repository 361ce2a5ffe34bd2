"""Intervals from repetitions, where single samples are not independent.

Calls in a row resemble one another: they share the process (where its memory lies, which pages and caches it got) and the
moment (clock, temperature, neighbours). An interval that treats every call as a fresh draw is far too narrow. So the unit is a
repetition: a process, or where there was only one, a tenth of its time.

The spread between repetitions does not average out like that of independent draws either: part of it is slow drift, which the
repetitions of one run share. For flicker noise, whose Allan deviation is the same at every time scale, the mean of a run of n
repetitions varies from run to run about as much as the repetitions do within the run (Barnes, NBS Technical Note 375, 1969:
the bias functions of the Allan variance). Hence the variance of a run's figure is taken as s^2 (1/n + drift) with ``drift`` 1:
that of a further repetition, a prediction interval. Ratios of candidates that took turns have no drift: what slows one down
slows the other down in the same round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.errors import MeasurementError
from edgekit.quantiles import Quantile
from edgekit.student import student_t

DRIFT = 1.0
"""Of the variance between repetitions, what a run's own figure keeps however many repetitions it has."""

_TRIMMED_FROM = 8


@dataclass(frozen=True, slots=True)
class Spread:
    """How far repetitions lie apart: the standard deviation of their logarithms, and its degrees of freedom."""

    relative: float
    count: int
    degrees: int

    def variance(self, drift: float) -> float:
        """Of the logarithm of the run's figure."""
        return self.relative**2 * (1 / self.count + drift)

    def interval(self, value: float, confidence: float, drift: float = DRIFT) -> Quantile:
        """``value`` with the interval in which another run's would lie."""
        width = student_t((1 + confidence) / 2, self.degrees) * math.sqrt(self.variance(drift))
        return Quantile(value, value * math.exp(-width), value * math.exp(width))


def spread(values: Sequence[float]) -> Spread:
    """Of positive figures, one a repetition.

    From 8 repetitions on, the lowest and the highest count as their neighbours do (the winsorized deviation that belongs to a
    trimmed mean; Tukey and McLaughlin, Sankhya A 25, 1963): the run's figure is a median, which one odd process doesn't move.
    Raises MeasurementError for a single one.
    """
    if len(values) < 2:
        raise MeasurementError("one repetition tells nothing of the spread. Measure longer, or in more processes.")
    logs, trimmed = np.sort(np.log(np.asarray(values, np.float64))), int(len(values) >= _TRIMMED_FROM)
    if trimmed:
        logs[0], logs[-1] = logs[1], logs[-2]
    core = 1 - 2 * trimmed / len(logs)
    return Spread(float(logs.std(ddof=1)) / core, len(logs), len(logs) - 2 * trimmed - 1)


def difference(a: Spread, b: Spread, ratio: float, confidence: float, drift: float = DRIFT) -> Quantile:
    """``ratio`` of the figures of two runs with its interval; degrees of freedom after Welch (Biometrika 34, 1947)."""
    parts = a.variance(drift), b.variance(drift)
    total = sum(parts)
    if total == 0:
        return Quantile(ratio, ratio, ratio)
    degrees = total**2 / (parts[0] ** 2 / a.degrees + parts[1] ** 2 / b.degrees)
    width = student_t((1 + confidence) / 2, max(1, math.floor(degrees))) * math.sqrt(total)
    return Quantile(ratio, ratio * math.exp(-width), ratio * math.exp(width))
