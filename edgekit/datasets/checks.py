"""What calibration asks of samples beyond that they fit."""

from __future__ import annotations

import numpy as np

from edgekit.errors import DatasetError
from edgekit.protocols import Batch, Dataset

BATCH = 16

ENOUGH = 20
"""Samples below which the ranges that calibration finds depend on the luck of the draw."""


def require_varied(dataset: Dataset) -> None:
    """Raises DatasetError when all samples are equal, or all values of a single sample: no range can be learned there.

    Stops at the first sample that differs, so it costs next to nothing on good samples.
    """
    first: Batch | None = None
    count = 0
    for batch in dataset.batches(BATCH):
        first = first or batch
        count += len(batch)
        if _differs(batch, first):
            return
    if first is None:
        raise DatasetError("there are no samples to calibrate on")
    if count == 1 and any(np.ptp(array) > 0 for array in first.feeds.values()):
        return
    what = "all samples are equal" if count > 1 else "the only sample holds one and the same value throughout"
    raise DatasetError(
        f"{what} ({count} samples): calibration would learn no range from them. Give samples as the model meets in use."
    )


def too_few(dataset: Dataset) -> tuple[str, ...]:
    """A remark where the samples are too few to tell the ranges by."""
    count = len(dataset)
    if count >= ENOUGH:
        return ()
    samples = "1 sample is" if count == 1 else f"{count} samples are"
    return (
        f"{samples} little to calibrate on: values beyond those seen are cut off. About 100 typical ones are sensible, at "
        f"least {ENOUGH}",
    )


def _differs(batch: Batch, first: Batch) -> bool:
    """Whether any sample of the batch differs from the very first sample."""
    one = first.feeds if batch.whole else {name: array[:1] for name, array in first.feeds.items()}
    return any(bool((array != one[name]).any()) for name, array in batch.feeds.items())
