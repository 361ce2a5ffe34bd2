"""The rule of `trace` for heads that are one axis with a batch of unknown size, as PyTorch's attention makes them.

(tokens, batch, heads x width) becomes (tokens, batch x heads, width) and back, or (batch, heads, tokens, width). The labels
of such an axis are those of the heads, which repeat with each sample; nothing is counted in it, since its length is told by
the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import dims, integers
from edgekit_converters.prune.follow_wanted import wanted_axes
from edgekit_converters.prune.labels import LabelArray, Labels

Dim = int | str | None


def carry_heads(labels: Labels, node: ir.Node, axis: int, found: LabelArray) -> bool:
    """Carry the labels of one axis through a Reshape whose runs of axes don't match. False where this is no merging of heads."""
    before, after = dims(node.inputs[0]) or (), dims(node.outputs[0]) or ()
    last = len(before) - 1
    old, new = before[-1], after[-1]
    if axis == last and isinstance(old, int) and isinstance(new, int) and not max(old, new) % min(old, new):
        return _divide(labels, node, found, new) if new <= old else _repeat(labels, node, found, new)
    if axis == last - 1 and not isinstance(before[axis], int) and isinstance(old, int) and new == len(found) * old:
        return _give(labels, node, len(after) - 1, np.repeat(found, old))
    if isinstance(before[axis], int):
        return _merge_with_batch(labels, node, axis, found, before, after)
    return _part_from_batch(labels, node, axis, found, before, after)


def _divide(labels: Labels, node: ir.Node, found: LabelArray, width: int) -> bool:
    """(..., batch, heads x width) to (..., batch x heads, width): whole heads, unless a layer takes the width for channels."""
    output = node.outputs[0]
    last = len(dims(output) or ()) - 1
    rows = found.reshape(-1, width)
    if len(rows) > 1 and last and wanted_axes(output)[:1] != [last]:
        return _give(labels, node, last - 1, _united(labels, rows))
    return _give(labels, node, last, _united(labels, rows.T))


def _repeat(labels: Labels, node: ir.Node, found: LabelArray, length: int) -> bool:
    """(..., batch x heads, width) to (..., batch, heads x width): the same places in all heads."""
    return _give(labels, node, len(dims(node.outputs[0]) or ()) - 1, np.tile(found, length // len(found)))


def _merge_with_batch(
    labels: Labels, node: ir.Node, axis: int, found: LabelArray, before: Sequence[Dim], after: Sequence[Dim]
) -> bool:
    """(batch, heads, ...) to (batch x heads, ...). Copies of heads that several queries share may be an axis of their own."""
    last = axis
    while last + 1 < len(before) and labels.all_copies(labels.of(node.inputs[0], last + 1)):
        last += 1
    behind = len(before) - last - 1
    merged = len(after) - behind - 1
    if merged < 0 or isinstance(after[merged], int) or not _alike(before[last + 1 :], after[merged + 1 :]):
        return False
    first = axis
    while first > 0 and before[first - 1] == 1:
        first -= 1
    if first == 0 or isinstance(before[first - 1], int):
        return False
    copies = [dim for dim in before[axis + 1 : last + 1] if isinstance(dim, int)]
    labels.give(node.outputs[0], merged, np.repeat(found, math.prod(copies)))
    return True


def _part_from_batch(
    labels: Labels, node: ir.Node, axis: int, found: LabelArray, before: Sequence[Dim], after: Sequence[Dim]
) -> bool:
    """(batch x heads, ...) to (batch, heads, ...)."""
    parted = len(after) - (len(before) - axis - 1) - 1
    if parted < 1 or after[parted] != len(found) or not _alike(before[axis + 1 :], after[parted + 1 :]):
        return False
    return _give(labels, node, parted, found)


def _alike(one: Sequence[Dim], other: Sequence[Dim]) -> bool:
    return list(one) == list(other) and all(isinstance(dim, int) for dim in one)


def _united(labels: Labels, rows: LabelArray) -> LabelArray:
    """One label a row."""
    for column in range(1, rows.shape[1]):
        labels.unite(rows[:, 0], rows[:, column])
    return rows[:, 0].copy()


def _give(labels: Labels, node: ir.Node, axis: int, carried: LabelArray) -> bool:
    """Labels for an axis of the output, whose length is counted where the target tells it."""
    labels.give(node.outputs[0], axis, carried)
    target = integers(node.inputs[1]) if node.op_type == "Reshape" else None
    place = axis if target is None else axis - len(dims(node.outputs[0]) or ()) + len(target)
    if target is not None and target[place] > 0 and isinstance((dims(node.outputs[0]) or ())[axis], int):
        labels.count(node, carried, 1, place)
    return True
