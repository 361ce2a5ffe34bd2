"""The rule of `trace` for Reshape and Flatten: which axes become which, and what goes together when an axis is divided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import dims, integers
from edgekit_converters.prune.follow_heads import carry_heads
from edgekit_converters.prune.follow_wanted import wanted_axes
from edgekit_converters.prune.labels import LabelArray, Labels, unfollowed

Dim = int | str | None


def reshape(labels: Labels, node: ir.Node) -> None:
    """Labels of merged axes repeat; of an axis that is divided, those of one part of it go together."""
    value, output = node.inputs[0], node.outputs[0]
    target = integers(node.inputs[1]) if node.op_type == "Reshape" else ()
    before, after = dims(value), dims(output)
    if before is None or after is None or target is None:
        return labels.freeze_all(value, unfollowed(node, "has a computed shape"))
    followed = set()
    for inner, outer in matched(before, after):
        carrying = _without_copies(labels, node, [axis for axis in inner if labels.of(value, axis) is not None])
        followed |= set(carrying[:1])
        if len(carrying) == 1:
            _carry(labels, node, carrying[0], inner, outer)
        for axis in carrying[1:]:
            labels.freeze(labels.of(value, axis), unfollowed(node, "merges several such axes"))
            labels.freeze(labels.of(value, carrying[0]), unfollowed(node, "merges several such axes"))
    for axis, found in list(labels.labelled(value).items()):
        if axis not in followed and not carry_heads(labels, node, axis, found):
            labels.freeze(found, unfollowed(node, "merges it with an axis of unknown length"))
    return None


def _without_copies(labels: Labels, node: ir.Node, axes: list[int]) -> list[int]:
    """Where other axes carry labels, one whose elements are copies of one another (keys that several queries share) keeps all."""
    kept = [axis for axis in axes if not labels.all_copies(labels.of(node.inputs[0], axis))]
    for axis in set(axes) - set(kept) if kept else ():
        labels.freeze(labels.of(node.inputs[0], axis), unfollowed(node, "merges copies"))
    return kept or axes


def _carry(labels: Labels, node: ir.Node, axis: int, inner: Sequence[int], outer: Sequence[int]) -> None:
    before, after = dims(node.inputs[0]) or (), dims(node.outputs[0]) or ()
    own = labels.of(node.inputs[0], axis)
    assert own is not None
    place = inner.index(axis)
    shape = [-1 if n == place else 1 for n in range(len(inner))]
    elements = np.broadcast_to(own.reshape(shape), [_int(before[n]) for n in inner])
    elements = elements.reshape([_int(after[n]) for n in outer])
    chosen = _dividing_axis(node, outer, elements)
    rows = _rows(elements, outer.index(chosen))
    found: LabelArray = np.array(rows[:, 0])
    if len([n for n in outer if after[n] != 1]) > 1:
        for column in range(1, rows.shape[1]):
            labels.unite(found, rows[:, column])
    labels.give(node.outputs[0], chosen, found)
    target = integers(node.inputs[1]) if node.op_type == "Reshape" else None
    if target is not None and target[chosen] > 0:
        labels.count(node, found, 1, chosen)


def _int(dim: Dim) -> int:
    assert isinstance(dim, int)
    return dim


def _rows(elements: LabelArray, axis: int) -> LabelArray:
    """(length of the axis, others)."""
    return np.moveaxis(elements, axis, 0).reshape(elements.shape[axis], -1)


def _dividing_axis(node: ir.Node, axes: Sequence[int], elements: LabelArray) -> int:
    """Of the axes that one is divided into, the one whose elements are removed: what a layer further on takes for channels.

    Where none does, one along which the labels (``elements``, by place) are parted already, as heads of grouped queries are.
    """
    after = dims(node.outputs[0]) or ()
    longer = [axis for axis in axes if after[axis] != 1] or list(axes)
    if len(longer) == 1:
        return longer[0]
    wanted = wanted_axes(node.outputs[0])
    parted = [axis for axis in longer if (np.ptp(_rows(elements, axes.index(axis)), axis=1) == 0).all()]
    return next(
        (axis for axis in (*wanted, *parted) if axis in longer), max(longer, key=lambda axis: _int(after[axis]))
    )


def matched(before: Sequence[Dim], after: Sequence[Dim]) -> list[tuple[list[int], list[int]]]:
    """Runs of axes that hold the same elements before and after, the shortest there are.

    Axes of unknown length match those of the same name, counted from either end; what lies between is in no run.
    """
    runs, i, j = _runs(list(before), list(after))
    rest_before, rest_after = list(before[i:])[::-1], list(after[j:])[::-1]
    backwards, _, _ = _runs(rest_before, rest_after)
    last_before, last_after = len(before) - 1, len(after) - 1
    for inner, outer in backwards:
        runs.append((sorted(last_before - n for n in inner), sorted(last_after - n for n in outer)))
    return runs


def _runs(before: list[Dim], after: list[Dim]) -> tuple[list[tuple[list[int], list[int]]], int, int]:
    """Runs from the left, as far as lengths are known, and where they end."""
    runs: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        if before[i] == after[j] and before[i] is not None:
            runs.append(([i], [j]))
            i, j = i + 1, j + 1
            continue
        inner, outer = [i], [j]
        one, other = before[i], after[j]
        while one != other:
            if not isinstance(one, int) or not isinstance(other, int):
                return runs, i, j
            side, axes, at = (before, inner, len(inner) + i) if one < other else (after, outer, len(outer) + j)
            if at >= len(side) or not isinstance(side[at], int):
                return runs, i, j
            axes.append(at)
            one, other = (one * _int(side[at]), other) if one < other else (one, other * _int(side[at]))
        runs.append((inner, outer))
        i, j = i + len(inner), j + len(outer)
    return runs, i, j
