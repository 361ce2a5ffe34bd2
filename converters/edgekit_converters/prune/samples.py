"""`Selection`: which samples weights are fitted to while cuts are chosen, and which cuts are judged on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.protocols import Dataset
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.calibrate_feeds import LARGEST_BATCH, MASK, numbers_per_sample
from edgekit_converters.quantize.sequential_samples import Picked, spread

Rows = NDArray[np.int64]

MOST_SAMPLES = 2048
"""Samples from which weights are refitted, and on which a limit is judged."""

MOST_NUMBERS = 2_000_000_000
"""Numbers computed over all nodes and samples, as a bound of the time: 256 pictures of EfficientNet-Lite0."""

JUDGED_NUMBERS = 4_000_000_000
"""As `MOST_NUMBERS`, for the samples that a limit is judged on: they are run once for each cut that is taken."""

REPAIRED_NUMBERS = 500_000_000
"""As `MOST_NUMBERS`, for networks that are repaired time and again to find the last state within a limit."""

HELD_OUT = 4
"""Of so many samples, one is held out: no weight is fitted to it while cuts are chosen."""

HELD_OUT_NUMBERS, LEAST_HELD_OUT = 200_000_000, 48
"""Numbers computed over all nodes and held out samples, as a bound of the time that a cut's trial takes; but so many samples."""

FOLDS = 4
"""Parts of the samples, each judged by weights that were fitted to the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """A part of the samples: what weights may be fitted to, when it is another part's turn; the ``others``, which weights are
    fitted to when it is its own; and what is judged then."""

    fitted: Dataset
    others: Dataset
    judged: Dataset


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Rows of ``given``: ``taken``, those that weights are fitted to; ``held``, some of them that cuts are tried on; ``judged``,
    those that a limit is judged on, whether taken or not. ``light``: they are repaired in seconds."""

    given: Dataset
    taken: Rows
    held: Rows
    judged: Rows
    light: bool

    @property
    def samples(self) -> Dataset:
        """What the last refit works with."""
        return self._picked(self.taken)

    @property
    def fitted(self) -> Dataset:
        """What weights are fitted to while cuts are chosen."""
        return self._picked(np.setdiff1d(self.taken, self.held))

    @property
    def held_out(self) -> Dataset:
        return self._picked(self.held)

    def folds(self) -> Iterator[Fold]:
        """Parts by lot, so that no order of the samples leaves a kind of them in one part alone."""
        lots = np.random.default_rng(0).permutation(len(self.given)) % FOLDS
        for part in range(FOLDS):
            rows = np.flatnonzero(lots == part)
            others = self._picked(np.setdiff1d(self.taken, rows))
            judged = self._picked(np.intersect1d(rows, self.judged))
            yield Fold(self._picked(np.intersect1d(rows, self.taken)), others, judged)

    def _picked(self, rows: Rows) -> Dataset:
        return self.given if len(rows) == len(self.given) else Picked(self.given, rows)


def select(hub: Hub, samples: Dataset | None) -> Selection:
    """As many samples as refitting needs and the bounds of the work allow. Padding says nothing and is not counted.

    Raises UsageError where they are too few.
    """
    if samples is None or len(samples) < HELD_OUT:
        count = "none" if samples is None else len(samples)
        raise UsageError(
            f"pruning needs {HELD_OUT} sample inputs at least and got {count}. Give --calibrate SAMPLES, better "
            "150 to 250 typical ones."
        )
    numbers = max(1.0, _numbers(hub) * _real_share(samples))
    taken = _within(samples, max(_FEWEST_SAMPLES, int(MOST_NUMBERS / numbers)))
    judged = _within(samples, max(len(taken), int(JUDGED_NUMBERS / numbers)))
    most = max(LEAST_HELD_OUT, HELD_OUT_NUMBERS // _numbers(hub))
    held = taken[spread(len(taken), min(most, len(taken) // HELD_OUT))]
    return Selection(samples, taken, held, judged, len(taken) * numbers <= REPAIRED_NUMBERS)


_FEWEST_SAMPLES = 32


def _within(samples: Dataset, most: int) -> Rows:
    return spread(len(samples), min(len(samples), MOST_SAMPLES, most))


def _numbers(hub: Hub) -> int:
    """Computed over all nodes for one sample."""
    return max(1, sum(numbers_per_sample(value) for node in hub.model.graph for value in node.outputs))


def _real_share(samples: Dataset) -> float:
    """The part of the samples' tokens that are no padding; 1 where nothing tells them apart."""
    masks = [np.asarray(batch.feeds[MASK]) for batch in samples.batches(LARGEST_BATCH) if MASK in batch.feeds]
    tokens = sum(mask.size for mask in masks)
    return float(sum(np.count_nonzero(mask) for mask in masks)) / tokens if tokens else 1.0
