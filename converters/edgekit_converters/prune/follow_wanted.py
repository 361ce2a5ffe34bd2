"""Which axes of a value later layers take for channels or heads: when a Reshape divides an axis, elements of those can go."""

from __future__ import annotations

import onnx_ir as ir

from edgekit_converters.hub.edit import attribute, constant, consumers, integers
from edgekit_converters.prune.labels import rank

_FAR = 8
"""Operators looked ahead."""

_NEW = -1
"""An axis that was not there in the beginning."""


def wanted_axes(value: ir.Value) -> list[int]:
    """The axes that the first layer ahead wants, the most wanted first; none where there is no such layer nearby."""
    return _wanted(value, tuple(range(rank(value))), _FAR)


def _wanted(value: ir.Value, axes: tuple[int, ...], left: int) -> list[int]:
    """``axes``: the numbers that the axes of the value had in the beginning."""
    for node in consumers(value) if left else ():
        kind, after = node.op_type, axes
        if kind in ("Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization", "DepthToSpace"):
            return [axes[1]]
        if kind == "Gemm" or (kind == "MatMul" and constant(node.inputs[1]) is not None):
            return [axes[-1]]
        if kind == "MatMul":
            return list(axes[:-2])
        if kind == "Transpose":
            after = tuple(axes[axis] for axis in attribute(node, "perm") or reversed(range(len(axes))))
        elif kind == "Gather" and rank(node.inputs[1]) == 0:
            after = tuple(old for axis, old in enumerate(axes) if axis != attribute(node, "axis", 0) % len(axes))
        elif kind == "Squeeze" and len(node.inputs) > 1 and (gone := integers(node.inputs[1])) is not None:
            after = tuple(old for axis, old in enumerate(axes) if axis not in {n % len(axes) for n in gone})
        elif kind == "Unsqueeze" and (new := integers(node.inputs[1])) is not None:
            after = _with_new(axes, new)
        elif kind == "Reshape" and _NEW in axes[1:] and rank(node.outputs[0]) < len(axes):
            return [
                axes[axes.index(_NEW) - 1]
            ]  # copies are merged with what they are copies of: heads that queries share
        elif kind in ("Reshape", "Flatten"):
            continue
        for output in node.outputs:
            if rank(output) == len(after) and (found := _wanted(output, after, left - 1)):
                return found
    return []


def _with_new(axes: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    count = len(axes) + len(new)
    places, old = {axis % count for axis in new}, iter(axes)
    return tuple(_NEW if place in places else next(old) for place in range(count))
