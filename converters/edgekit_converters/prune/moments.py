"""`Moments`: means and second moments of the columns that layers read, gathered batch by batch in memory that stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.hub.patches import Window
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.quantize.calibrate import tapped_model
from edgekit_converters.quantize.calibrate_feeds import batch_size, full_feeds, numbers_per_sample, real_tokens
from edgekit_converters.quantize.calibrate_session import Calculator

COLUMNS = 24_000
"""Columns of a layer over all samples."""

NUMBERS_PER_RUN = 1 << 22


GramKey = tuple[str, int, int, Window | None]
"""The value that is read, its axis of channels, their groups, and the window it is read through."""


class Moments:
    """Of pairs of columns ``x`` (before) and ``y`` (as they are now): means, and the products of what is left of them.

    All have groups for their first axis.
    """

    def __init__(self, groups: int, before: int, now: int) -> None:
        self.count = 0
        self._sum_before, self._sum_now = np.zeros((groups, before)), np.zeros((groups, now))
        self._cross, self._gram = np.zeros((groups, before, now)), np.zeros((groups, now, now))

    def add(self, before: NDArray[np.float32], now: NDArray[np.float32]) -> None:
        """Columns (groups, channels, count) of the same places."""
        self.count += before.shape[2]
        self._sum_before += before.sum(axis=2, dtype=np.float64)
        self._sum_now += now.sum(axis=2, dtype=np.float64)
        self._cross += before @ now.swapaxes(1, 2)
        self._gram += now @ now.swapaxes(1, 2)

    def means(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._sum_before / self.count, self._sum_now / self.count

    def covariances(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(before x now), (now x now), centred."""
        mean_before, mean_now = self.means()
        return (
            self._cross / self.count - outer(mean_before, mean_now),
            self._gram / self.count - outer(mean_now, mean_now),
        )

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """As `covariances`, but not centred: for layers without a bias."""
        return self._cross / self.count, self._gram / self.count


def outer(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the vectors of each group."""
    found: NDArray[np.float64] = one[:, :, np.newaxis] * other[:, np.newaxis, :]
    return found


class Gram:
    """Means and covariance of one kind of columns, by group."""

    def __init__(self, groups: int, size: int) -> None:
        self.count = 0
        self._sum, self._gram = np.zeros((groups, size)), np.zeros((groups, size, size), np.float64)

    def add(self, columns: NDArray[np.float32]) -> None:
        self.count += columns.shape[2]
        self._sum += columns.sum(axis=2, dtype=np.float64)
        self._gram += columns @ columns.swapaxes(1, 2)

    def __add__(self, other: Gram) -> Gram:
        return self._with(other, 1)

    def __sub__(self, other: Gram) -> Gram:
        return self._with(other, -1)

    def _with(self, other: Gram, sign: int) -> Gram:
        result = Gram(0, 0)
        result.count = self.count + sign * other.count
        result._sum, result._gram = self._sum + sign * other._sum, self._gram + sign * other._gram
        return result

    @property
    def mean(self) -> NDArray[np.float64]:
        return self._sum / max(1, self.count)

    def covariance(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.moments() - outer(self.mean, self.mean)
        return found

    def moments(self) -> NDArray[np.float64]:
        """Not centred, for layers without a bias."""
        return self._gram / max(1, self.count)


def grams(hub: Hub, consumers: Sequence[Consumer], samples: Dataset, progress: Progress) -> dict[GramKey, Gram]:
    """The Gram matrix of the columns of each consumer, by `gram_key`, in one pass over the samples."""
    if not consumers:
        return {}
    values = list(dict.fromkeys(consumer.value for consumer in consumers))
    own_inputs = [spec.name for spec in hub.inputs]
    session = Calculator(tapped_model(hub, [name for name in values if name not in own_inputs]))
    computed = [name for name in values if name not in own_inputs]
    by_key = {gram_key(consumer): consumer for consumer in consumers}
    found = {key: Gram(consumer.groups, len(consumer.units)) for key, consumer in by_key.items()}
    progress.stage("importance", len(samples))
    for turn, (feeds, count) in enumerate(full_feeds(hub, samples, run_size(hub))):
        arrays = dict(zip(computed, session.run(computed, feeds), strict=True)) | feeds
        for key, consumer in by_key.items():
            most = max(1, COLUMNS * count // len(samples))
            found[key].add(consumer.columns(real_tokens(arrays[consumer.value], feeds), most, turn))
        progress.step(count)
    return found


def gram_key(consumer: Consumer) -> GramKey:
    """Consumers that read the same columns share them."""
    return consumer.value, consumer.channel_axis, consumer.groups, consumer.window


def run_size(hub: Hub) -> int:
    """Samples that one run takes: few enough that the largest values fit the caches and memory."""
    values = [value for node in hub.model.graph for value in node.outputs if value.dtype == ir.DataType.FLOAT]
    largest = sorted(values, key=numbers_per_sample)[-_LARGEST:]
    return batch_size(hub, largest, NUMBERS_PER_RUN)


_LARGEST = 2
