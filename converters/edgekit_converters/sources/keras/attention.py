"""Attention as plain ONNX nodes: MatMul, Where for the mask, Softmax, MatMul."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.masks import both
from edgekit_converters.sources.keras.value import Value

HEADS_FIRST = (0, 2, 1, 3)
"""(N, heads, steps, size): the layout in which heads are multiplied."""
_KEYS = (0, 2, 3, 1)
_HIDDEN = np.float32(-1e9)
"""The score of a hidden position, as in Keras: no number is left of it behind the softmax."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Projected tensors: ``query`` (N, T, heads, size), scaled; ``key`` and ``value`` (N, S, heads or fewer, size)."""

    query: Value
    key: Value
    value: Value


def attend(call: LayerCall, heads: Heads, mask: Value | None, *, zero_hidden: bool) -> tuple[Value, Value]:
    """The context (N, T, heads, size) and the weights (N, heads, T, S). Heads of the query that share a key follow each other."""
    count, fewer = heads.query.shape[2], heads.key.shape[2]
    shared = count != fewer
    query = heads.query.variant(HEADS_FIRST)
    query = _regrouped(call, query, (0, fewer, -1, heads.query.shape[3]), "grouped") if shared else query
    scores = call.node("MatMul", query, heads.key.variant(_KEYS), part="scores")
    if shared:
        scores = _regrouped(call, scores, (0, count, -1, heads.key.shape[1]), "ungrouped")
    weights = weighed(call, call.value(scores), mask, zero_hidden=zero_hidden)
    probabilities = weights.plain
    if shared:
        probabilities = _regrouped(call, probabilities, (0, fewer, -1, heads.key.shape[1]), "regrouped")
    context = call.node("MatMul", probabilities, heads.value.variant(HEADS_FIRST), part="context")
    if shared:
        sizes = (0, count, -1, heads.value.shape[3])
        context = _regrouped(call, context, sizes, "context_ungrouped")
    return call.value(context, HEADS_FIRST), weights


def weighed(call: LayerCall, scores: Value, mask: Value | None, *, zero_hidden: bool) -> Value:
    """The softmax of the scores that the mask shows."""
    if mask is None:
        return call.value(call.node("Softmax", scores.plain, part="weights", axis=-1))
    low = call.constant(_HIDDEN, "hidden_score")
    shown = call.node("Where", mask.plain, scores.plain, low, part="shown")
    weights = call.node("Softmax", shown, part="weights", axis=-1)
    if zero_hidden:
        zero = call.constant(np.float32(0), "zero")
        weights = call.node("Where", mask.plain, weights, zero, part="shown_weights")
    return call.value(weights)


def joint_mask(
    call: LayerCall, masks: list[Value | None], *, causal: bool, window: int | None, sizes: Sizes
) -> Value | None:
    """The positions (N or 1, T, S) that all masks show; ``causal`` hides later ones, ``window`` all but the near ones."""
    shown = [mask for mask in masks if mask is not None]
    if causal or window is not None:
        shown.append(_positions(call, causal, window, sizes))
    return both(call, shown)


Sizes = tuple[int | None, int | None]
"""Steps of the query and of the keys."""


def _positions(call: LayerCall, causal: bool, window: int | None, sizes: Sizes) -> Value:
    rows, columns = sizes
    if rows is None or columns is None:
        raise call.unsupported("masks positions by their place, which needs a known number of steps; see --input-shape")
    distance = np.arange(rows)[:, None] - np.arange(columns)[None]
    shown: NDArray[Any] = np.ones((1, rows, columns), bool)
    if causal:
        shown = shown & (distance >= 0)
    if window is not None:
        shown = shown & (np.abs(distance) < window)
    return call.value(call.constant(shown, "positions"))


def of_queries(call: LayerCall, mask: Value | None) -> Value | None:
    """(N, T) as (N, T, 1)."""
    return _expanded(call, mask, 2, "query_mask")


def of_keys(call: LayerCall, mask: Value | None) -> Value | None:
    """(N, S) as (N, 1, S)."""
    return _expanded(call, mask, 1, "key_mask")


def for_heads(call: LayerCall, mask: Value | None) -> Value | None:
    """(N, T, S) as (N, 1, T, S); a mask of its own for every head stays as it is."""
    while mask is not None and mask.rank < 4:
        mask = _expanded(call, mask, mask.rank - 2, "head_mask")
    return mask


def _expanded(call: LayerCall, mask: Value | None, axis: int, part: str) -> Value | None:
    if mask is None:
        return None
    place = call.constant(np.array([axis], np.int64), f"axis_{axis}")
    return call.value(call.node("Unsqueeze", mask.plain, place, part=part))


def _regrouped(call: LayerCall, tensor: ir.Value, sizes: tuple[int | None, ...], part: str) -> ir.Value:
    if None in sizes:
        raise call.unsupported("shares keys between heads, which needs a known number of steps; see --input-shape")
    return call.node("Reshape", tensor, call.constant(np.array(sizes, np.int64), f"{part}_shape"), part=part)
