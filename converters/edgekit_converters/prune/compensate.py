"""`Compensation`: pruned hubs in closed form, from the Gram matrices of the whole network; quick enough to try many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.dependencies import Dependencies, Stays
from edgekit_converters.prune.moments import Gram, GramKey, gram_key
from edgekit_converters.prune.refit import operands, refit, ridge_for, shift_of
from edgekit_converters.prune.removal import remove
from edgekit_converters.quantize.quant_plan import Use

Refitted = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A layer's new weights and what is added to its results."""


class Compensation:
    """Layers that lose inputs are refitted as if all others were whole: `repair` does it on what the others really give."""

    def __init__(
        self, hub: Hub, found: Dependencies, consumers: Sequence[Consumer], grams: Mapping[GramKey, Gram]
    ) -> None:
        self._hub, self._found, self._consumers, self._grams = hub, found, consumers, grams
        self._recent: list[dict[bytes, Refitted]] = [{} for _ in consumers]

    def hub(self, stays: Stays) -> Hub:
        """The hub with what stays, its weights making up for the rest."""
        made: dict[Use, NDArray[Any]] = {}
        gone = self._found.gone(stays)
        for index, consumer in enumerate(self._consumers):
            left = stays[consumer.units]
            if left.all() or consumer.name in gone:
                continue
            key = left.tobytes()
            if key not in self._recent[index]:
                self._recent[index] = {
                    **dict([*self._recent[index].items()][-1:]),
                    key: self._refitted(consumer, np.flatnonzero(left)),
                }
            made |= operands(self._hub, self._found, consumer, *self._recent[index][key], stays)
        return remove(self._hub, self._found, stays, made)

    def _refitted(self, consumer: Consumer, kept: NDArray[np.int64]) -> Refitted:
        gram, weights = self._grams[gram_key(consumer)], consumer.weights().astype(np.float64)
        moments = gram.covariance() if consumer.bias else gram.moments()
        cross = moments[:, :, kept]
        new = refit(weights, cross, cross[:, kept], kept, ridge_for(len(kept), gram.count))
        return new, shift_of(weights, gram.mean, new, gram.mean[:, kept])
