"""The rules of `trace`, by operator: a table, and operators on each element."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from edgekit_converters.hub.edit import attribute, constant, dims
from edgekit_converters.prune.dependencies import Role
from edgekit_converters.prune.follow_layers import (
    convolution,
    gemm,
    matrix_product,
    recurrent,
    transposed_convolution,
)
from edgekit_converters.prune.follow_movement import (
    concat,
    constant_of_shape,
    depth_to_space,
    expand,
    gather,
    gather_nd,
    pad,
    resize,
    shape_of,
    slices,
    space_to_depth,
    split,
    squeeze,
    transpose,
    unsqueeze,
)
from edgekit_converters.prune.follow_reshape import reshape
from edgekit_converters.prune.labels import LabelArray, Labels, rank, unfollowed

Rule = Callable[[Labels, ir.Node], None]


def elementwise(labels: Labels, node: ir.Node) -> None:
    """Operands are broadcast; elements at one place go together."""
    output = node.outputs[0]
    for back in range(1, rank(output) + 1):
        _meet(labels, node, rank(output) - back, back)


def _meet(labels: Labels, node: ir.Node, axis: int, back: int) -> None:
    """Unite the labels of one axis, the ``back``-th from the end, of all operands that are as long as the output there."""
    found: list[LabelArray] = []
    whole = False
    constants: list[tuple[int, int]] = []
    length = (dims(node.outputs[0]) or ())[axis]
    for index, value in enumerate(node.inputs):
        shape = dims(value)
        if value is None or shape is None or len(shape) < back:
            continue
        own = labels.of(value, len(shape) - back)
        if shape[-back] == 1 and length != 1:
            labels.freeze(own, unfollowed(node, "repeats this channel"))
            continue
        if constant(value) is not None:
            constants.append((index, len(shape) - back))
        elif own is None:
            whole = True
        else:
            found.append(own)
    for other in found:
        labels.unite(found[0], other)
        if whole:
            labels.freeze(other, unfollowed(node, "combines it with what keeps all its channels"))
    if found:
        labels.give(node.outputs[0], axis, found[0])
        for index, position in constants:
            labels.cut(node, index, position, found[0], Role.FOLLOWS)


def same_axes(labels: Labels, node: ir.Node) -> None:
    """The first operand's axes are the outputs'."""
    for axis, found in labels.labelled(node.inputs[0]).items():
        for output in node.outputs:
            labels.give(output, axis, found)


def along_axis(labels: Labels, node: ir.Node) -> None:
    """As `same_axes`, but what is computed along an axis needs all of it."""
    axis = attribute(node, "axis", -1) % max(1, rank(node.inputs[0]))
    labels.freeze(labels.of(node.inputs[0], axis), unfollowed(node, "computes over these channels together"))
    same_axes(labels, node)


def layer_norm(labels: Labels, node: ir.Node) -> None:
    first = attribute(node, "axis", -1) % max(1, rank(node.inputs[0]))
    for axis, found in labels.labelled(node.inputs[0]).items():
        if axis >= first:
            labels.freeze(found, unfollowed(node, "normalizes over these channels together"))
    same_axes(labels, node)


def per_channel(labels: Labels, node: ir.Node) -> None:
    """Statistics and factors a channel, axis 1."""
    found = labels.of(node.inputs[0], 1)
    for index, value in enumerate(node.inputs[1:], 1):
        if value is not None and constant(value) is None:
            labels.freeze(found, unfollowed(node, "has computed factors"))
        elif value is not None:
            labels.cut(node, index, 0, found, Role.FOLLOWS)
    same_axes(labels, node)


def group_norm(labels: Labels, node: ir.Node) -> None:
    """Whole groups go, since statistics are taken of all channels of one."""
    found, groups = labels.of(node.inputs[0], 1), attribute(node, "num_groups", 1)
    if found is not None:
        rows = found.reshape(groups, -1)
        for column in range(1, rows.shape[1]):
            labels.unite(rows[:, 0], rows[:, column])
        labels.count(node, rows[:, 0].copy(), None, attribute="num_groups")
    per_channel(labels, node)


def pooling(labels: Labels, node: ir.Node) -> None:
    for axis, found in labels.labelled(node.inputs[0]).items():
        if axis > 1:
            labels.freeze(found, unfollowed(node, "pools over this axis"))
    same_axes(labels, node)


def reduction(labels: Labels, node: ir.Node) -> None:
    value = node.inputs[0]
    axes = _reduced(node)
    kept = attribute(node, "keepdims", 1)
    for axis, found in labels.labelled(value).items():
        if axes is None or axis in axes:
            labels.freeze(found, unfollowed(node, "reduces over these channels"))
        else:
            labels.give(node.outputs[0], axis if kept else axis - sum(gone < axis for gone in axes), found)


def _reduced(node: ir.Node) -> tuple[int, ...] | None:
    """Axes that go; None: all, or not known."""
    given = node.inputs[1] if len(node.inputs) > 1 else None
    array = constant(given)
    listed = attribute(node, "axes") if given is None else None if array is None else tuple(array.reshape(-1).tolist())
    if not listed:
        return None
    return tuple(int(axis) % max(1, rank(node.inputs[0])) for axis in listed)


_ELEMENTWISE = (
    "Abs", "Add", "And", "Cast", "Ceil", "Celu", "Clip", "Cos", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp",
    "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsNaN", "LeakyRelu",
    "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow",
    "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Sub",
    "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
)  # fmt: skip

RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, elementwise),
    **dict.fromkeys(("Softmax", "LogSoftmax", "CumSum", "LpNormalization"), along_axis),
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool", "GlobalAveragePool", "GlobalMaxPool"), pooling),
    **dict.fromkeys(("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL2", "ReduceL1"), reduction),
    **dict.fromkeys(("ReduceProd", "ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum"), reduction),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), per_channel),
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "Gemm": gemm,
    "MatMul": matrix_product,
    **dict.fromkeys(("RNN", "LSTM", "GRU"), recurrent),
    "Concat": concat,
    "ConstantOfShape": constant_of_shape,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Expand": expand,
    "Gather": gather,
    "GatherND": gather_nd,
    "Pad": pad,
    **dict.fromkeys(("Reshape", "Flatten"), reshape),
    "Resize": resize,
    "Shape": shape_of,
    "Slice": slices,
    "Split": split,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
"""Operators that are followed; what any other reads is protected."""
