"""Trying a converted network out against the original: inputs to ask both, and whether their answers agree."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.protocols import Feeds, Session

_TOLERANCE = 1e-3
"""Of the largest output: far above float32 rounding, far below what a wrong graph gives."""


def compare_with_original(
    onnx_path: Path, original: Session, examples: Feeds, row_counts: Iterable[int | None]
) -> None:
    """Run the written file in ONNX Runtime on variations of the examples, with each number of samples (None: as many).

    Raises SourceError where its outputs are not the original's, and ONNX Runtime's error where it doesn't load.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    written = onnxruntime.InferenceSession(onnx_path, options, providers=["CPUExecutionProvider"])
    taken = [value.name for value in written.get_inputs()]
    names = [value.name for value in written.get_outputs()]
    wanted = [spec.name for spec in original.outputs]
    if names != wanted:
        raise SourceError(f"the exported graph has the outputs {names} instead of {wanted}")
    for rows in row_counts:
        feeds = vary(examples, rows)
        expected = original.run(feeds)
        found = dict(zip(names, written.run(names, {name: feeds[name] for name in taken}), strict=True))
        for name, array in expected.items():
            if not agree(found[name], array):
                count = len(next(iter(feeds.values()))) if has_batch(feeds) else 1
                raise SourceError(
                    f"output {name!r} of the exported graph differs from the original's ({count} samples)"
                )


def has_batch(arrays: Feeds) -> bool:
    """Whether all inputs share the length of their first axis."""
    return all(array.ndim for array in arrays.values()) and len({len(array) for array in arrays.values()}) == 1


def vary(arrays: Feeds, rows: int | None = None) -> dict[str, NDArray[Any]]:
    """Other inputs like the given ones: floats with noise, other types in another order; ``rows`` samples, if given."""
    random = np.random.default_rng(0)
    varied: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        chosen = array[np.arange(rows) % len(array)] if rows is not None else array
        if chosen.dtype.kind == "f":
            spread = 0.5 * (float(array.std()) or 1.0)
            varied[name] = (chosen + spread * random.standard_normal(chosen.shape)).astype(array.dtype)
        else:
            varied[name] = random.permutation(chosen.reshape(-1)).reshape(chosen.shape)
    return varied


def agree(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Equal but for rounding; of outputs that are no floats, 99 % are equal."""
    if one.shape != other.shape:
        return False
    if other.dtype.kind not in "fc":
        return bool(np.mean(one == other) >= 0.99) if one.size else True
    scale = float(np.abs(other).max(initial=0.0))
    return bool(np.allclose(one, other, rtol=0.0, atol=_TOLERANCE * max(scale, 1e-6), equal_nan=True))
