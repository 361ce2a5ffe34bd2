"""What a refitted hub's constants mean for the user's parameters: the refitted weights, without what was folded into them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.removal import cut_operand
from edgekit_converters.quantize.operands import operand_of
from edgekit_converters.quantize.scheme import name_of
from edgekit_converters.rules import RECURRENT
from edgekit_converters.training.parameters import Mark, Parameter, Values
from edgekit_converters.training.provenance import Provenance
from edgekit_converters.training.tags import NONE, Ids

Array = NDArray[np.float32]


def restored(
    provenance: Provenance, hub: Hub, refitted: Hub, found: Dependencies, stays: NDArray[np.bool_], values: Values
) -> dict[str, Array]:
    """The parameters of the whole network with the refitted weights where units stay. ``values``: what they hold now.

    A factor folded into weights (that of a batch normalization) is known from what the weights were in the hub and in the
    network; a bias is shifted by as much as the hub's.
    """
    result = {name: np.array(array) for name, array in values.items()}
    kinds = {name_of(node): node.op_type for node in hub.model.graph}
    for use, ids in provenance.operands.items():
        cuts = found.cuts_of(use)
        before, now = cut_operand(operand_of(hub, use), cuts, stays), operand_of(refitted, use)
        if before.shape != now.shape or np.array_equal(before, now):
            continue
        left = cut_operand(ids, cuts, stays)
        if kinds[use.node] in RECURRENT and use.index == _BIAS:
            now = _with_all_shifts(before, now, left)
        for parameter in provenance.parameters:
            if parameter.name in provenance.tags.starts:
                _enter(result[parameter.name], parameter, provenance, left, before, now)
    return result


_BIAS = 3
"""The input of a recurrent layer that holds its biases: for what it reads, then for its own state. They are added up."""


def _with_all_shifts(before: Array, now: Array, ids: Ids) -> Array:
    """The second bias's shift on the first, where the network has one bias."""
    half = now.shape[-1] // 2
    result = now.copy()
    result[..., :half] += np.where(ids[..., half:] == NONE, (now - before)[..., half:], 0)
    return result


def _enter(target: Array, parameter: Parameter, provenance: Provenance, ids: Ids, before: Array, now: Array) -> None:
    numbers = provenance.tags.range_of(parameter)
    there = (ids >= numbers.start) & (ids < numbers.stop)
    if not there.any():
        return
    flat = target.reshape(-1)
    places = ids[there] - numbers.start
    if parameter.mark is Mark.OFFSET:
        flat[places] += (now - before)[there]
    elif parameter.mark is Mark.TAG:
        flat[places] = (now * _unfolded(flat, places, there, before))[there]


def _unfolded(flat: Array, places: Ids, there: NDArray[np.bool_], before: Array) -> Array:
    """The parameter over the constant that it became, at each place; where it is 0, what is usual in its row."""
    quotients = np.full(before.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotients[there] = np.where(before[there] == 0, np.nan, flat[places] / before[there])
    quotients[quotients == 0] = np.nan
    rows = quotients.reshape(len(quotients), -1)
    usual = np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else 1.0 for row in rows])
    filled = np.where(np.isfinite(rows), rows, usual[:, None]).reshape(before.shape)
    return filled.astype(np.float32)
