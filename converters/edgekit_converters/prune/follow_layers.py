"""The rules of `trace` for layers with weights: they sum over labels and make new ones."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import attribute, constant, dims, static_shape
from edgekit_converters.prune.dependencies import Role
from edgekit_converters.prune.labels import LabelArray, Labels, rank, unfollowed


def convolution(labels: Labels, node: ir.Node) -> None:
    """Weights (made, taken of a group, ...)."""
    shape, groups = _constant_shape(node, 1), attribute(node, "group", 1)
    if shape is None:
        _protect(labels, node)
        return
    taken = labels.of(node.inputs[0], 1)
    _no_others(labels, node, 1)
    if groups > 1 and shape[1] == 1 and taken is not None:
        _depthwise(labels, node, taken, np.repeat(taken, shape[0] // groups))
        return
    made = labels.fresh(shape[0])
    if groups > 1:
        _same_in_groups(labels, made, groups)
        if taken is not None:
            _same_in_groups(labels, taken, groups)
            taken = taken[: shape[1]]
    labels.cut(node, 1, 1, taken, Role.TAKES)
    labels.cut(node, 1, 0, made, Role.MAKES)
    _bias(labels, node, made)
    labels.make(node, 1, made)


def transposed_convolution(labels: Labels, node: ir.Node) -> None:
    """Weights (taken, made of a group, ...)."""
    shape, groups = _constant_shape(node, 1), attribute(node, "group", 1)
    if shape is None:
        _protect(labels, node)
        return
    taken = labels.of(node.inputs[0], 1)
    _no_others(labels, node, 1)
    if groups == shape[0] and groups > 1 and shape[1] == 1 and taken is not None:
        _depthwise(labels, node, taken, taken)
        return
    made = labels.fresh(shape[1] * groups)
    if groups > 1:
        _same_in_groups(labels, made, groups)
        if taken is not None:
            _same_in_groups(labels, taken, groups)
    labels.cut(node, 1, 0, taken, Role.TAKES)
    labels.cut(node, 1, 1, made[: shape[1]], Role.MAKES)
    _bias(labels, node, made)
    labels.make(node, 1, made)


def _depthwise(labels: Labels, node: ir.Node, taken: LabelArray, made: LabelArray) -> None:
    labels.cut(node, 1, 0, made, Role.FOLLOWS)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        labels.cut(node, 2, 0, made, Role.FOLLOWS)
    labels.count(node, taken, None, attribute="group")
    labels.give(node.outputs[0], 1, made)


def _same_in_groups(labels: Labels, found: LabelArray, groups: int) -> None:
    """What has the same place in each group goes together, so that groups stay equally large."""
    for other in found.reshape(groups, -1)[1:]:
        labels.unite(found[: len(other)], other)


def _bias(labels: Labels, node: ir.Node, made: LabelArray) -> None:
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return
    shape = _constant_shape(node, 2)
    if shape is None:
        labels.freeze(made, unfollowed(node, "has a computed bias"))
    elif shape and shape[-1] == len(made):
        labels.cut(node, 2, len(shape) - 1, made, Role.MAKES)


def gemm(labels: Labels, node: ir.Node) -> None:
    shape = _constant_shape(node, 1)
    if shape is None or attribute(node, "transA", 0):
        _protect(labels, node)
        return
    _no_others(labels, node, 1)
    gives = 0 if attribute(node, "transB", 0) else 1
    made = labels.fresh(shape[gives])
    labels.cut(node, 1, 1 - gives, labels.of(node.inputs[0], 1), Role.TAKES)
    labels.cut(node, 1, gives, made, Role.MAKES)
    _bias(labels, node, made)
    labels.make(node, 1, made)


def matrix_product(labels: Labels, node: ir.Node) -> None:
    one, other = node.inputs
    assert one is not None
    assert other is not None
    if constant(other) is not None and rank(other) == 2:
        _times_weights(labels, node, one, other)
    elif constant(one) is not None or constant(other) is not None or min(rank(one), rank(other)) < 2:
        _protect(labels, node)
    else:
        _product_of_two(labels, node, one, other)


def _times_weights(labels: Labels, node: ir.Node, data: ir.Value, weights: ir.Value) -> None:
    shape = static_shape(weights)
    assert shape is not None
    last = rank(data) - 1
    for axis, found in labels.labelled(data).items():
        if axis != last:
            labels.give(node.outputs[0], axis, found)
    made = labels.fresh(shape[1])
    labels.cut(node, 1, 0, labels.of(data, last), Role.TAKES)
    labels.cut(node, 1, 1, made, Role.MAKES)
    labels.make(node, rank(node.outputs[0]) - 1, made)


def _product_of_two(labels: Labels, node: ir.Node, one: ir.Value, other: ir.Value) -> None:
    """As in an attention: leading axes are broadcast, the shared axis is summed over."""
    output = node.outputs[0]
    _go_together(labels, node, labels.of(one, rank(one) - 1), labels.of(other, rank(other) - 2))
    labels.give(output, rank(output) - 2, labels.of(one, rank(one) - 2))
    labels.give(output, rank(output) - 1, labels.of(other, rank(other) - 1))
    for back in range(3, rank(output) + 1):
        pair = [labels.of(v, rank(v) - back) for v in (one, other) if rank(v) >= back and _dim(v, back) != 1]
        if len(pair) == 2:
            _go_together(labels, node, *pair)
        labels.give(output, rank(output) - back, next((found for found in pair if found is not None), None))


def _dim(value: ir.Value, back: int) -> int | str | None:
    shape = dims(value)
    assert shape is not None
    return shape[-back]


def _go_together(labels: Labels, node: ir.Node, one: LabelArray | None, other: LabelArray | None) -> None:
    if one is not None and other is not None:
        labels.unite(one, other)
        return
    for found in (one, other):
        labels.freeze(found, unfollowed(node, "multiplies it with what keeps all its channels"))


def recurrent(labels: Labels, node: ir.Node) -> None:
    """X (steps, batch, inputs), W (directions, gates x units, inputs), R (directions, gates x units, units)."""
    shape = _constant_shape(node, 2)
    if shape is None or _constant_shape(node, 1) is None:
        _protect(labels, node)
        return
    for axis, found in labels.labelled(node.inputs[0]).items():
        if axis != 2:
            labels.freeze(found, unfollowed(node, "steps over this axis"))
    units = labels.fresh(shape[2])
    gates = shape[1] // shape[2]
    rows = np.tile(units, gates)
    labels.cut(node, 1, 2, labels.of(node.inputs[0], 2), Role.TAKES)
    labels.cut(node, 1, 1, rows, Role.MAKES)
    labels.cut(node, 2, 1, rows, Role.MAKES)
    labels.cut(node, 2, 2, units, Role.TAKES)
    for index, own in ((3, np.tile(units, 2 * gates)), (5, units), (6, units), (7, np.tile(units, 3))):
        _state(labels, node, index, own, units)
    labels.count(node, units, None, attribute="hidden_size")
    labels.make(node, 3, units)
    for output in node.outputs[1:]:
        labels.give(output, 2, units)


def _state(labels: Labels, node: ir.Node, index: int, own: LabelArray, units: LabelArray) -> None:
    """Biases, initial states and peepholes have a unit's elements along their last axis."""
    value = node.inputs[index] if len(node.inputs) > index else None
    if value is None:
        return
    if constant(value) is not None:
        labels.cut(node, index, rank(value) - 1, own, Role.MAKES)
        return
    found = labels.of(value, rank(value) - 1)
    if found is None:
        labels.freeze(units, unfollowed(node, "starts from a state that is given from outside"))
    else:
        labels.unite(found, own)


def _constant_shape(node: ir.Node, index: int) -> tuple[int, ...] | None:
    """Of an operand; None where it is computed."""
    return None if constant(node.inputs[index]) is None else static_shape(node.inputs[index])


def _no_others(labels: Labels, node: ir.Node, channels: int) -> None:
    """Only the channel axis may lose elements."""
    for axis, found in labels.labelled(node.inputs[0]).items():
        if axis != channels:
            labels.freeze(found, unfollowed(node, "needs all of this axis"))


def _protect(labels: Labels, node: ir.Node) -> None:
    for value in node.inputs:
        labels.freeze_all(value, unfollowed(node, "has no constant weights of a form that is followed"))
