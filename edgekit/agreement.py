"""How closely two models' outputs agree, in one pass over the samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.decisions import Decisions, Shape, sample_shapes, share_of_equal
from edgekit.errors import MeasurementError
from edgekit.figures import Agreement, MetricKind, OutputAgreement
from edgekit.metrics import cosines

SQNR_OF_EQUAL_DB = 200.0
"""What is reported for outputs without any difference (and the largest figure reported): float32 ends at about 150 dB."""

EQUAL_RELATIVE, EQUAL_ABSOLUTE = 1e-5, 1e-30
"""Real numbers count as equal within these: a softmax in float gives other last bits in every runtime, from equal integers."""


@dataclass(slots=True)
class _Sums:
    """What is summed up of one output, or of all."""

    signal: float = 0.0
    noise: float = 0.0
    cosine: float = 0.0
    rows: int = 0
    largest: float = 0.0
    values: int = 0
    same_values: int = 0
    non_finite: int = 0
    decisions: Decisions = field(default_factory=Decisions)


class AgreementMeter:
    """Takes batches of two models' outputs; memory does not grow with the samples.

    ``metric``: what the outputs are judged by otherwise. With one of numbers (`MetricKind.compares_numbers`) nothing is decided;
    with another, an output as large as an input is no reconstruction.
    """

    def __init__(self, metric: MetricKind | None = None) -> None:
        self._metric = metric
        self._sums: dict[str, _Sums] = {}
        self._samples = 0
        self._equal_samples = 0

    def update(
        self,
        reference: Mapping[str, NDArray[Any]],
        found: Mapping[str, NDArray[Any]],
        feeds: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Outputs are paired by name, or by their order where the names differ. ``feeds``: the inputs, where they are known.

        Raises MeasurementError on other shapes.
        """
        equal: NDArray[np.bool_] | None = None
        inputs: set[Shape] = sample_shapes(feeds or {}) if self._metric is None else set()
        for name, wanted, given in _pairs(reference, found):
            sums = self._sums.setdefault(name, _Sums())
            rows = _add(sums, wanted, given)
            if self._metric is None or not self._metric.compares_numbers:
                sums.decisions.add(wanted, given, inputs)
            equal = rows if equal is None else equal & rows
        if equal is not None:
            self._samples += len(equal)
            self._equal_samples += int(equal.sum())

    def result(self) -> Agreement:
        """Raises MeasurementError when no sample was compared."""
        if not self._samples:
            raise MeasurementError("no sample was compared")
        total = _total(self._sums.values())
        return Agreement(
            samples=self._samples,
            sqnr_db=_decibels(total.signal, total.noise),
            cosine=total.cosine / total.rows,
            largest_error=total.largest,
            equal_decisions=share_of_equal(sums.decisions for sums in self._sums.values()),
            equal_values=total.same_values / total.values,
            equal_samples=self._equal_samples / self._samples,
            non_finite=total.non_finite,
            outputs=tuple(_of_output(name, sums) for name, sums in self._sums.items()),
        )


def _pairs(
    reference: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]
) -> Iterable[tuple[str, NDArray[Any], NDArray[Any]]]:
    if len(reference) != len(found):
        raise MeasurementError(
            f"one model has {len(reference)} outputs ({', '.join(reference)}), the other {len(found)} ({', '.join(found)})"
        )
    by_name = set(reference) == set(found)
    others = [found[name] for name in reference] if by_name else list(found.values())
    for (name, wanted), given in zip(reference.items(), others, strict=True):
        if wanted.shape != given.shape:
            if _squeezed(wanted.shape) != _squeezed(given.shape):
                raise MeasurementError(f"output {name!r} has shape {given.shape}; the reference's has {wanted.shape}")
            given = given.reshape(wanted.shape)
        yield name, wanted, given


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:1] + tuple(size for size in shape[1:] if size != 1)


def _add(sums: _Sums, reference: NDArray[Any], found: NDArray[Any]) -> NDArray[np.bool_]:
    """Add a batch and return which of its samples are equal throughout."""
    x = reference.reshape(len(reference), -1).astype(np.float64)
    y = found.reshape(len(found), -1).astype(np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    sums.non_finite += int(finite.size - finite.sum())
    same = _equal(x, y, exact=reference.dtype.kind in "iu" and found.dtype.kind in "iu") & finite
    # From here on a value that is not finite stands as 0 in both, so that it changes no sum; it is counted above.
    x, y = np.where(finite, x, 0.0), np.where(finite, y, 0.0)
    error = x - y
    sums.signal += float(np.vdot(x, x))
    sums.noise += float(np.vdot(error, error))
    sums.cosine += float(cosines(x, y).sum())
    sums.rows += len(x)
    sums.largest = max(sums.largest, float(np.abs(error).max(initial=0.0)))
    sums.values += same.size
    sums.same_values += int(same.sum())
    return np.asarray(same.all(axis=1))


def _equal(x: NDArray[np.float64], y: NDArray[np.float64], *, exact: bool) -> NDArray[np.bool_]:
    """Equal up to the rounding of float32 arithmetic: neighbours on an 8-bit grid differ by at least 1/255 of their value."""
    tolerance = 0.0 if exact else EQUAL_RELATIVE * np.abs(x) + EQUAL_ABSOLUTE
    return np.asarray(np.abs(x - y) <= tolerance)


def _total(parts: Iterable[_Sums]) -> _Sums:
    total = _Sums()
    for part in parts:
        for name in ("signal", "noise", "cosine", "rows", "values", "same_values"):
            setattr(total, name, getattr(total, name) + getattr(part, name))
        total.non_finite += part.non_finite
        total.largest = max(total.largest, part.largest)
    return total


def _of_output(name: str, sums: _Sums) -> OutputAgreement:
    return OutputAgreement(
        name=name,
        sqnr_db=_decibels(sums.signal, sums.noise),
        cosine=sums.cosine / sums.rows,
        largest_error=sums.largest,
        equal_decisions=share_of_equal([sums.decisions]),
        equal_values=sums.same_values / sums.values if sums.values else 1.0,
        non_finite=sums.non_finite,
    )


def _decibels(signal: float, noise: float) -> float:
    """Within -200..200; 200 stands for no difference at all."""
    if noise == 0:
        return SQNR_OF_EQUAL_DB
    if signal == 0:
        return -SQNR_OF_EQUAL_DB
    return max(-SQNR_OF_EQUAL_DB, min(SQNR_OF_EQUAL_DB, 10 * math.log10(signal / noise)))
