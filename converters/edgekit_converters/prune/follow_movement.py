"""The rules of `trace` for operators that move elements; `follow_reshape` has the one that is hard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import attribute, constant, dims, integers, producer
from edgekit_converters.prune.labels import LabelArray, Labels, rank, unfollowed


def transpose(labels: Labels, node: ir.Node) -> None:
    perm = attribute(node, "perm") or tuple(reversed(range(rank(node.inputs[0]))))
    for axis, found in labels.labelled(node.inputs[0]).items():
        labels.give(node.outputs[0], perm.index(axis), found)


def squeeze(labels: Labels, node: ir.Node) -> None:
    shape = dims(node.inputs[0]) or ()
    axes = integers(node.inputs[1]) if len(node.inputs) > 1 else None
    gone = [axis % len(shape) for axis in axes] if axes is not None else [n for n, dim in enumerate(shape) if dim == 1]
    for axis, found in labels.labelled(node.inputs[0]).items():
        if axis in gone:
            labels.freeze(found, unfollowed(node, "drops this axis"))
        else:
            labels.give(node.outputs[0], axis - sum(other < axis for other in gone), found)


def unsqueeze(labels: Labels, node: ir.Node) -> None:
    axes = integers(node.inputs[1])
    if axes is None:
        return labels.freeze_all(node.inputs[0], unfollowed(node))
    new = {axis % rank(node.outputs[0]) for axis in axes}
    kept = [axis for axis in range(rank(node.outputs[0])) if axis not in new]
    for axis, found in labels.labelled(node.inputs[0]).items():
        labels.give(node.outputs[0], kept[axis], found)
    return None


def concat(labels: Labels, node: ir.Node) -> None:
    """Along the axis, labels one after the other; on others, elements at one place go together."""
    along = attribute(node, "axis", 0) % rank(node.outputs[0])
    for axis in {axis for value in node.inputs for axis in labels.labelled(value)}:
        joined = _one_after_the_other(labels, node, axis) if axis == along else _side_by_side(labels, node, axis)
        labels.give(node.outputs[0], axis, joined)


def _one_after_the_other(labels: Labels, node: ir.Node, axis: int) -> LabelArray | None:
    """None where the length of a part is not known: then all parts keep their elements."""
    found = [labels.of(value, axis) for value in node.inputs]
    parts = [_or_frozen(labels, node, value, own) for value, own in zip(node.inputs, found, strict=True)]
    known = [part for part in parts if part is not None]
    if len(known) == len(parts):
        return np.concatenate(known)
    for own in found:
        labels.freeze(own, unfollowed(node, "joins it with a part of unknown length"))
    return None


def _side_by_side(labels: Labels, node: ir.Node, axis: int) -> LabelArray:
    known = [own for value in node.inputs if (own := labels.of(value, axis)) is not None]
    for own in known:
        labels.unite(known[0], own)
        if len(known) < len(node.inputs):
            labels.freeze(own, unfollowed(node, "joins it with what keeps all its channels"))
    return known[0]


def _or_frozen(labels: Labels, node: ir.Node, value: ir.Value | None, own: LabelArray | None) -> LabelArray | None:
    """Labels of a part of a Concat; a part that keeps all its elements gets labels that say so."""
    if own is not None:
        return own
    length = (dims(value) or ())[attribute(node, "axis", 0)]
    if not isinstance(length, int):
        return None
    made = labels.fresh(length)
    labels.freeze(made, unfollowed(node, "joins what keeps all its channels"))
    return made


def split(labels: Labels, node: ir.Node) -> None:
    value = node.inputs[0]
    along = attribute(node, "axis", 0) % max(1, rank(value))
    sizes = [(dims(output) or ())[along] for output in node.outputs]
    for axis, found in labels.labelled(value).items():
        if axis != along:
            for output in node.outputs:
                labels.give(output, axis, found)
        elif (
            not all(isinstance(size, int) for size in sizes) or len(node.inputs) < 2 or constant(node.inputs[1]) is None
        ):
            labels.freeze(found, unfollowed(node, "splits it in parts of unknown length"))
        else:
            starts = np.cumsum([0, *sizes])
            for index, output in enumerate(node.outputs):
                part = found[starts[index] : starts[index + 1]]
                labels.give(output, axis, part)
                labels.count(node, part, 1, index)


def slices(labels: Labels, node: ir.Node) -> None:
    value = node.inputs[0]
    starts, ends, axes, steps = (
        integers(node.inputs[index]) if len(node.inputs) > index else None for index in range(1, 5)
    )
    if starts is None or ends is None:
        return labels.freeze_all(value, unfollowed(node, "cuts where the data says"))
    axes = tuple(axis % rank(value) for axis in axes) if axes is not None else tuple(range(len(starts)))
    for axis, found in labels.labelled(value).items():
        if axis not in axes:
            labels.give(node.outputs[0], axis, found)
            continue
        place = axes.index(axis)
        start, end = starts[place], ends[place]
        if (steps is not None and steps[place] != 1) or start < 0 or end < 0:
            labels.freeze(found, unfollowed(node, "takes some of these channels"))
            labels.give(node.outputs[0], axis, found[start : end : steps[place] if steps else 1])
            continue
        labels.give(node.outputs[0], axis, found[start:end])
        labels.count(node, found, 1, place)
        if end <= len(found):  # larger ones mean the end whatever the length
            labels.count(node, found, 2, place)
    return None


def gather(labels: Labels, node: ir.Node) -> None:
    """Elements taken along an axis: others keep their labels."""
    value, indices = node.inputs[0], node.inputs[1]
    along = attribute(node, "axis", 0) % max(1, rank(value))
    for axis, found in labels.labelled(value).items():
        if axis == along:
            labels.freeze(found, unfollowed(node, "takes some of these channels"))
        else:
            labels.give(node.outputs[0], axis + (rank(indices) - 1 if axis > along else 0), found)


def gather_nd(labels: Labels, node: ir.Node) -> None:
    """Slices taken by computed places: the axes within them keep their labels."""
    value, indices = node.inputs[0], node.inputs[1]
    length = (dims(indices) or (None,))[-1]
    batch = attribute(node, "batch_dims", 0)
    for axis, found in labels.labelled(value).items():
        if not isinstance(length, int) or axis < batch + length:
            labels.freeze(found, unfollowed(node, "takes some of these channels"))
        else:
            labels.give(node.outputs[0], axis - batch - length + rank(indices) - 1, found)


def pad(labels: Labels, node: ir.Node) -> None:
    value, amounts = node.inputs[0], integers(node.inputs[1])
    given = node.inputs[3] if len(node.inputs) > 3 else None
    axes = tuple(range(rank(value))) if given is None else integers(given)
    padded = None if amounts is None or axes is None else _padded_axes(amounts, axes, rank(value))
    for axis, found in labels.labelled(value).items():
        if padded is None or axis in padded:
            labels.freeze(found, unfollowed(node, "pads these channels"))
        else:
            labels.give(node.outputs[0], axis, found)


def _padded_axes(amounts: Sequence[int], axes: Sequence[int], count: int) -> set[int]:
    """``amounts``: the begins of all ``axes``, then their ends."""
    pairs = zip(axes, amounts[: len(axes)], amounts[len(axes) :], strict=True)
    return {axis % count for axis, begin, end in pairs if begin or end}


def expand(labels: Labels, node: ir.Node) -> None:
    """What is repeated can be repeated less often: its labels are new."""
    value, target = node.inputs[0], _target(node, 1)
    shift = rank(node.outputs[0]) - rank(value)
    for axis, found in labels.labelled(value).items():
        if target is None:
            labels.freeze(found, unfollowed(node, "has a computed shape"))
            continue
        labels.give(node.outputs[0], axis + shift, found)
        place = axis + shift - (rank(node.outputs[0]) - len(target))
        if place >= 0 and target[place].length not in (None, 1):
            labels.count(target[place].node, found, target[place].index, target[place].position)
    for place, length in enumerate(target or ()):
        axis = place + rank(node.outputs[0]) - len(target or ())
        if length.is_several and labels.of(node.outputs[0], axis) is None and _length(value, axis - shift) == 1:
            repeated = labels.repeat(length.length or 0)
            labels.give(node.outputs[0], axis, repeated)
            labels.count(length.node, repeated, length.index, length.position)


@dataclass(frozen=True, slots=True)
class _Written:
    """A length of a target shape and where it is written: a constant operand of a node. None: it is computed."""

    length: int | None
    node: ir.Node
    index: int
    position: int

    @property
    def is_several(self) -> bool:
        return self.length is not None and self.length > 1


def constant_of_shape(labels: Labels, node: ir.Node) -> None:
    """Copies of one number, of which there can be fewer."""
    for axis, length in enumerate(_target(node, 0) or ()):
        if length.is_several:
            repeated = labels.repeat(length.length or 0)
            labels.give(node.outputs[0], axis, repeated)
            labels.count(length.node, repeated, length.index, length.position)


def _target(node: ir.Node, operand: int) -> list[_Written] | None:
    """A target shape: a constant, or constants and computed lengths that are joined."""
    whole = integers(node.inputs[operand])
    if whole is not None:
        return [_Written(length, node, operand, place) for place, length in enumerate(whole)]
    joining = producer(node.inputs[operand], "Concat")
    if joining is None:
        return None
    found: list[_Written] = []
    for index, part in enumerate(joining.inputs):
        known, length = integers(part), (dims(part) or (None,))[0]
        if known is None and length != 1:
            return None
        found += [_Written(each, joining, index, place) for place, each in enumerate(known or (None,))]
    return found


def shape_of(labels: Labels, node: ir.Node) -> None:
    """Lengths that are read stay as they are."""
    count = rank(node.inputs[0])
    start, end = attribute(node, "start", 0), attribute(node, "end", count)
    for axis in range(count)[start:end]:
        labels.freeze(labels.of(node.inputs[0], axis), unfollowed(node, "reads this length"))


def _length(value: ir.Value | None, axis: int) -> int | str | None:
    """Of an axis; of one that broadcasting puts in front, 1."""
    return 1 if axis < 0 else (dims(value) or ())[axis]


def resize(labels: Labels, node: ir.Node) -> None:
    value, output = node.inputs[0], node.outputs[0]
    sizes = node.inputs[3] if len(node.inputs) > 3 else None
    before, after = dims(value) or (), dims(output) or ()
    for axis, found in labels.labelled(value).items():
        if before[axis] != after[axis] or attribute(node, "axes") is not None:
            labels.freeze(found, unfollowed(node, "resizes this axis"))
            continue
        if sizes is not None and constant(sizes) is None:
            labels.freeze(found, unfollowed(node, "has computed sizes"))
        elif sizes is not None:
            labels.count(node, found, 3, axis)
        labels.give(output, axis, found)


def depth_to_space(labels: Labels, node: ir.Node) -> None:
    """The channels that become the pixels of one go together."""
    found = labels.of(node.inputs[0], 1)
    if found is None:
        return
    cells = attribute(node, "blocksize") ** 2
    rows = found.reshape(-1, cells) if attribute(node, "mode", "DCR") == "CRD" else found.reshape(cells, -1).T
    for column in range(1, cells):
        labels.unite(rows[:, 0], rows[:, column])
    labels.give(node.outputs[0], 1, rows[:, 0].copy())


def space_to_depth(labels: Labels, node: ir.Node) -> None:
    found = labels.of(node.inputs[0], 1)
    if found is not None:
        labels.give(node.outputs[0], 1, np.tile(found, attribute(node, "blocksize") ** 2))
