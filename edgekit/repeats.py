"""Intervals from repetitions, where single samples are not independent.

Calls in a row resemble one another: they share the process (where its memory lies, which pages and caches it got) and the
moment (clock, temperature, neighbours). An interval that treats every call as a fresh draw is far too narrow. So the unit is a
repetition: a process, or where there was only one, a tenth of its time.

The spread between repetitions does not average out like that of independent draws either: part of it is slow drift, which the
repetitions of one run share. Where the drift is flicker noise, the sample variance of n adjacent averages grows as
n ln n / (n - 1) (Barnes, Tables of Bias Functions, NBS Technical Note 375, 1969: B1 for mu = 0). A run of n repetitions therefore
sees less of it than many runs will, and by a factor that is known: `flicker`. How many is a choice: 500 runs take an
hour or two, and series of runs half an hour apart were seen to differ by 2.3 % where neighbours differ by .8 %. The variance of a
run's figure is taken as s^2 (1/n + flicker(n)), that of independent draws and that of the drift, though s^2 can't be both: on the
safe side.

Ratios of candidates that took turns in every round lose nearly all of the drift: what slows one down slows the other down. An
eighth of it stays, for processes and moments that suit one file better than the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.errors import MeasurementError
from edgekit.quantiles import Quantile
from edgekit.student import student_t

IN_TURNS = 0.125
"""Of the drift, what is left in the ratio of two candidates that took turns."""

_RUNS = 500
"""An interval is meant to hold the median of so many runs."""

_TRIMMED_FROM = 8


@dataclass(frozen=True, slots=True)
class Spread:
    """How far repetitions lie apart: the standard deviation of their logarithms, and its degrees of freedom."""

    relative: float
    count: int
    degrees: int

    def interval(self, value: float, confidence: float, drift: float = 1.0) -> Quantile:
        """``value`` with the interval in which another run's would lie; ``drift`` is the part of it that counts."""
        width = student_t((1 + confidence) / 2, self.degrees) * math.sqrt(self.variance(drift))
        return Quantile(value, value * math.exp(-width), value * math.exp(width))

    def variance(self, drift: float = 1.0) -> float:
        """Of the logarithm of the run's figure."""
        return self.relative**2 * (1 / self.count + drift * flicker(self.count))


def flicker(count: int) -> float:
    """Variance of flicker noise among the means of `_RUNS` runs, over that among the ``count`` repetitions of one."""
    return _bias(_RUNS) / _bias(count)


def _bias(count: int) -> float:
    return count * math.log(count) / (count - 1)


def spread(values: Sequence[float]) -> Spread:
    """Of positive figures, one a repetition.

    From 8 repetitions on, the lowest and the highest count as their neighbours do (the winsorized deviation that belongs to a
    trimmed mean; Tukey and McLaughlin, Sankhya A 25, 1963): the run's figure is a median, which one odd process doesn't move.
    Raises MeasurementError for a single one.
    """
    if len(values) < 2:
        raise MeasurementError("one repetition tells nothing of the spread. Measure longer, or in more processes.")
    logs, trimmed = np.sort(np.log(np.asarray(values, np.float64) / values[0])), int(len(values) >= _TRIMMED_FROM)
    if trimmed:
        logs[0], logs[-1] = logs[1], logs[-2]
    core = 1 - 2 * trimmed / len(logs)
    return Spread(float(logs.std(ddof=1)) / core, len(logs), len(logs) - 2 * trimmed - 1)


def difference(a: Spread, b: Spread, ratio: float, confidence: float) -> Quantile:
    """``ratio`` of the figures of two runs with its interval; degrees of freedom after Welch (Biometrika 34, 1947)."""
    parts = a.variance(), b.variance()
    total = sum(parts)
    if total == 0:
        return Quantile(ratio, ratio, ratio)
    degrees = total**2 / (parts[0] ** 2 / a.degrees + parts[1] ** 2 / b.degrees)
    width = student_t((1 + confidence) / 2, max(1, math.floor(degrees))) * math.sqrt(total)
    return Quantile(ratio, ratio * math.exp(-width), ratio * math.exp(width))
