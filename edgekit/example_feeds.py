"""Inputs to time or place a model with, where the user gives none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec


def example_feeds(inputs: Sequence[TensorSpec], seed: int = 0) -> dict[str, NDArray[Any]]:
    """One array an input; symbolic dimensions are 1.

    Floats are drawn from the standard normal distribution and encoded integers from their whole range. Other integers
    are 0, since they may be indices, whose range no file tells.
    """
    generator = np.random.default_rng(seed)
    return {spec.name: _example(spec, generator) for spec in inputs}


def _example(spec: TensorSpec, generator: np.random.Generator) -> NDArray[Any]:
    shape = [dim if isinstance(dim, int) else 1 for dim in spec.shape]
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    if spec.quantization is not None:
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return np.zeros(shape, dtype)
