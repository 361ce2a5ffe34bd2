"""Weights that make up for channels that are gone: ridge regression from what is read now to what was read before.

The ridge pulls toward the original weights, not toward 0: what the samples say nothing about stays as it was trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import attribute
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.dependencies import Array, Dependencies
from edgekit_converters.prune.removal import cut_operand
from edgekit_converters.quantize.operands import operand_of
from edgekit_converters.quantize.quant_plan import Use

RIDGE = 0.02
"""Of the mean diagonal of the Gram matrix, where there are plenty of columns."""

RIDGE_PER_CHANNEL, MOST_RIDGE = 2.0, 0.5
"""Added to it for each channel a column, up to a bound: few columns say little about many channels."""

Matrix = NDArray[np.float64]


def ridge_for(channels: int, columns: int) -> float:
    """The ridge, as a part of the mean diagonal of a Gram matrix of so many channels, gathered from so many columns."""
    return min(MOST_RIDGE, RIDGE + RIDGE_PER_CHANNEL * channels / max(1, columns))


def refit(weights: Array, cross: Matrix, gram: Matrix, kept: NDArray[np.int64], ridge: float) -> Matrix:
    """Weights (groups, results, kept columns) that best give, from the kept columns, what ``weights`` gave from all of them.

    ``cross``: (groups, columns before, kept columns now), ``gram``: (groups, kept, kept now), both centred.
    """
    if not len(kept):
        return np.zeros((*weights.shape[:2], 0))
    means = gram.diagonal(axis1=1, axis2=2).mean(axis=1)
    pull = np.where(means * ridge == 0, 1.0, means * ridge)[:, np.newaxis, np.newaxis]
    right = weights @ cross + pull * weights[:, :, kept]
    damped = gram + pull * np.eye(len(kept))
    solved: Matrix = np.asarray(np.linalg.solve(damped, right.swapaxes(1, 2)).swapaxes(1, 2), np.float64)
    return solved


def shift_of(weights: Array, before: Array, refitted: Array, now: Array) -> Matrix:
    """What keeps the mean of each result, (groups, results), when it is added. ``before``, ``now``: means of the columns."""
    found: Matrix = weights @ before[:, :, np.newaxis] - refitted @ now[:, :, np.newaxis]
    return found[:, :, 0]


def operands(
    hub: Hub, found: Dependencies, consumer: Consumer, refitted: Array, shift: Array, stays: NDArray[np.bool_]
) -> Mapping[Use, Array]:
    """The consumer's weights and bias after removal. ``shift``: of `shift_of`."""
    made = {consumer.use: consumer.operand(refitted)}
    if consumer.bias is not None:
        made[consumer.bias.use] = _shifted(hub, consumer, shift)
    return {use: _cut(found, use, array, stays, consumer) for use, array in made.items()}


def _shifted(hub: Hub, consumer: Consumer, shift: Array) -> Array:
    bias = consumer.bias
    assert bias is not None
    array = np.array(operand_of(hub, bias.use), np.float32)
    # A transposed convolution adds up rows at each place, one in so many strides of them.
    overlap = math.prod(attribute(consumer.node, "strides", (1,))) if consumer.node.op_type == "ConvTranspose" else 1
    added = shift.reshape(bias.count, -1).sum(axis=1) / overlap
    array[..., bias.start : bias.start + bias.count] += added.astype(np.float32)
    return array


def _cut(found: Dependencies, use: Use, array: Array, stays: NDArray[np.bool_], consumer: Consumer) -> Array:
    """The axes that `refit` has not cut."""
    done = consumer.cut.axis if use == consumer.use else None
    cuts = [cut for cut in found.cuts_of(use) if cut.axis != done]
    return cut_operand(array, cuts, stays)
