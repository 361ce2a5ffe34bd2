"""Rows of the inputs of products, as the samples make them: real tokens alone, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.protocols import Dataset, Progress
from edgekit_converters.hub import Hub
from edgekit_converters.quantize.calibrate_feeds import feeds_of, fixed_batch, real_tokens
from edgekit_converters.quantize.calibrate_session import Calculator

ROWS = 384
"""Kept of each value: enough to tell schemes apart, since rows vary less than channels."""

MOST_SAMPLES = 128


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """``kept``: (rows, channels), spread over the samples. ``low``, ``high``: (channels,), over every real token."""

    kept: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def sample_rows(hub: Hub, names: Sequence[str], samples: Dataset, progress: Progress) -> dict[str, Rows]:
    """The rows of each value. Raises as `calibrate` does."""
    from edgekit_converters.quantize.calibrate import tapped_model

    progress.stage("sample", min(len(samples), MOST_SAMPLES))
    session = Calculator(tapped_model(hub, names))
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    ends: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    random, seen = np.random.default_rng(0), 0
    share = -(-ROWS // min(len(samples), MOST_SAMPLES))
    for feeds, count in feeds_of(hub, samples, fixed_batch(hub) or 1):
        for name, array in zip(names, session.run(names, feeds), strict=True):
            rows = real_tokens(array, feeds).reshape(-1, array.shape[-1])
            low, high = rows.min(axis=0), rows.max(axis=0)
            before = ends.get(name, (low, high))
            ends[name] = np.minimum(low, before[0]), np.maximum(high, before[1])
            parts[name].append(rows[random.permutation(len(rows))[: share * count]])
        seen += count
        progress.step(count)
        if seen >= MOST_SAMPLES:
            break
    return {name: Rows(np.concatenate(parts[name]), *ends[name]) for name in names}
