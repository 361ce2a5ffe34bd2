"""`sparse_weights`: the weights of a pattern that come closest to wanted ones, measured at the layer's outputs.

Source: E. Frantar, D. Alistarh, "SparseGPT", ICML 2023, for the problem (one layer, its input's second moments); X. Meng et al.,
"ALPS: Improved Optimization for Highly Sparse One-Shot Pruning", NeurIPS 2024, for the solution: alternating directions decide
which weights stay, conjugate gradients what they become. It serves every pattern that has a projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Projection = Callable[[Floats], Mask]
"""From saliencies (groups, rows, columns) to the weights that stay."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Least ``sum((W - wanted) moments (W - wanted)^T)``. ``moments``: (groups, columns, columns), positive definite;
    ``wanted``: (groups, rows, columns)."""

    moments: Floats
    wanted: Floats


def sparse_weights(problem: Problem, project: Projection) -> Floats:
    """``wanted`` as the pattern allows it, (groups, rows, columns)."""
    scaled, scale = _with_unit_diagonal(problem)
    masks = _support(scaled, project), project(np.abs(scaled.wanted))
    found = [refitted(scaled, mask, _REFIT_STEPS) for mask in masks]
    weights: Floats = min(found, key=lambda each: lost(scaled, each)) / scale
    return weights


def one_shot(problem: Problem, project: Projection) -> Floats:
    """As `sparse_weights`, but the weights that stay are chosen by weight times size of input alone: quick, and good enough to
    compare layers by."""
    scaled, scale = _with_unit_diagonal(problem)
    weights: Floats = refitted(scaled, project(np.abs(scaled.wanted)), _FEW_STEPS) / scale
    return weights


def lost(problem: Problem, weights: Floats) -> float:
    """The squared error of ``weights`` at the outputs, a position."""
    error = weights - problem.wanted
    return float(np.einsum("grc,grc->", error @ problem.moments, error, dtype=np.float64))


def refitted(problem: Problem, mask: Mask, steps: int) -> Floats:
    """The best weights on a given support, by conjugate gradients on all rows at once. The moments have a unit diagonal."""
    kept: Floats = mask.astype(np.float32)
    weights = problem.wanted * kept
    residual = ((problem.wanted - weights) @ problem.moments) * kept
    direction: Floats = residual.copy()
    energy = _by_row(residual, residual)
    for _ in range(steps):
        image: Floats = np.multiply(direction @ problem.moments, kept)
        length = energy / np.maximum(_by_row(direction, image), _TINY)
        weights += length * direction
        residual -= length * image
        following = _by_row(residual, residual)
        ratio: Floats = np.divide(following, np.maximum(energy, _TINY))
        direction = np.add(residual, ratio * direction)
        energy = following
    return weights


def _with_unit_diagonal(problem: Problem) -> tuple[Problem, Floats]:
    """The same problem in inputs of size one: a weight's square is then what leaving it out alone would cost."""
    scale = np.sqrt(np.maximum(np.einsum("gcc->gc", problem.moments), _TINY))[:, None, :]
    moments = problem.moments / (scale.transpose(0, 2, 1) * scale)
    return Problem(moments, problem.wanted * scale), scale


def _support(problem: Problem, project: Projection) -> Mask:
    """The weights that stay. ``duals`` hold the two copies of the weights together, more firmly from step to step."""
    values, vectors = np.linalg.eigh(problem.moments)
    values, back = values[:, None, :], vectors.transpose(0, 2, 1)
    pull = problem.wanted @ problem.moments
    mask = project(np.abs(problem.wanted))
    kept = problem.wanted * mask
    duals, firmness = np.zeros_like(kept), _FIRST_FIRMNESS
    for step in range(_SUPPORT_STEPS):
        free = (((pull - duals + firmness * kept) @ vectors) / (values + firmness)) @ back
        moved = free + duals / firmness
        found = project(np.abs(moved))
        changed = float(np.mean(found != mask))
        mask, kept = found, moved * found
        duals += firmness * (free - kept)
        if step % _STEPS_PER_FIRMNESS == _STEPS_PER_FIRMNESS - 1:
            if changed == 0:
                break
            firmness *= _FAST if changed > _MUCH else _SLOW
    return mask


def _by_row(one: Floats, other: Floats) -> Floats:
    rows: Floats = np.einsum("grc,grc->gr", one, other)[..., None]
    return rows


_REFIT_STEPS = 16
_FEW_STEPS = 4
_SUPPORT_STEPS = 45
_STEPS_PER_FIRMNESS = 3
_FIRST_FIRMNESS = 0.3
_FAST, _SLOW, _MUCH = 1.3, 1.15, 0.01
_TINY = np.float32(1e-20)
