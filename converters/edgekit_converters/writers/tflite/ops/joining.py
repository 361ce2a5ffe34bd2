"""Concatenating and cutting tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekit_converters.writers.tflite.axes import normalized
from edgekit_converters.writers.tflite.flat_model import BuiltinOptions, FlatTensor, Shape, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation, permuted
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import read_movable
from edgekit_converters.writers.tflite.sharing import require_shared_encoding
from edgekit_converters.writers.tflite.table import lowers


@lowers("Concat", int8=True)
def concat(node: HubNode, out: FlatGraph) -> None:
    axis = normalized(node.integer("axis", 0), len(node.output_shape()))
    parts = [index for index in range(node.input_count) if node.shape(index)[axis] > 0]
    require_shared_encoding(node, out, parts)
    layout = out.common_layout(node)
    inputs = [read_movable(node, out, index, layout) for index in parts]
    if len(inputs) == 1:
        out.bind(node, inputs[0], layout)
        return
    table = options("ConcatenationOptions", axis=layout.index(axis))
    out.tape.add("CONCATENATION", inputs, out.output(node, layout), table)


_DELEGATED_PARTS = 4  # XNNPACK takes SPLIT with up to 4 outputs, SLICE always, and SPLIT_V never


@lowers("Split", int8=True)
def split(node: HubNode, out: FlatGraph) -> None:
    """SPLIT into 2 to 4 equal parts, else a SLICE a part; masks are sliced too, since SPLIT does not take them."""
    require_shared_encoding(node, out)
    layout = out.layout(node)
    axis = layout.index(normalized(node.integer("axis", 0), node.rank()))
    sizes = [permuted(node.output_shape(index), layout)[axis] for index in range(node.output_count)]
    x = read_movable(node, out, 0, layout)
    if x.dtype == np.bool_ or len(set(sizes)) != 1 or not 1 < len(sizes) <= _DELEGATED_PARTS:
        _split_by_slices(node, out, x, layout, axis, sizes)
        return
    place = out.tape.constant(np.array(axis, np.int32), name="axis")
    outputs = [out.output(node, layout, index) for index in range(node.output_count)]
    out.tape.add_many("SPLIT", (place, x), outputs, options("SplitOptions", numSplits=len(sizes)))


def _split_by_slices(
    node: HubNode, out: FlatGraph, x: FlatTensor, layout: Permutation, axis: int, sizes: list[int]
) -> None:
    start = 0
    for index, size in enumerate(sizes):
        begin = [start if place == axis else 0 for place in range(x.rank)]
        extent = [size if place == axis else length for place, length in enumerate(x.shape)]
        out.bind(node, out.tape.slice(x, begin, extent), layout, index)
        start += size


@lowers("Slice", int8=True)
def slice_(node: HubNode, out: FlatGraph) -> None:
    """SLICE for steps of 1, else STRIDED_SLICE, which walks backwards too."""
    require_shared_encoding(node, out)
    layout, cuts = out.layout(node), _cuts(node)
    if all(cut.whole(size) for cut, size in zip(cuts, node.shape(), strict=True)):
        out.alias(node)
        return
    x, ordered = read_movable(node, out, 0, layout), [cuts[axis] for axis in layout]
    if all(cut.step == 1 for cut in ordered):
        bounds = [[cut.start for cut in ordered], list(permuted(node.output_shape(), layout))]
        tensors = [out.tape.constant(np.array(numbers, np.int32), name="bounds") for numbers in bounds]
        out.tape.add("SLICE", (x, *tensors), out.output(node, layout), options("SliceOptions"))
        return
    bounds = [[cut.start for cut in ordered], [cut.stop for cut in ordered], [cut.step for cut in ordered]]
    tensors = [out.tape.constant(np.array(numbers, np.int32), name="bounds") for numbers in bounds]
    # A negative end would count from the back: the mask says "to the very first".
    end_mask = sum(1 << place for place, cut in enumerate(ordered) if cut.stop < 0)
    out.tape.add("STRIDED_SLICE", (x, *tensors), out.output(node, layout), _strided(end_mask))


def _strided(end_mask: int) -> BuiltinOptions:
    return options(
        "StridedSliceOptions", beginMask=0, endMask=end_mask, ellipsisMask=0, newAxisMask=0, shrinkAxisMask=0
    )


@dataclass(frozen=True, slots=True)
class _Cut:
    """What one axis keeps: from ``start`` up to ``stop`` (-1: down to the first) by ``step``."""

    start: int
    stop: int
    step: int

    def whole(self, size: int) -> bool:
        return (self.start, self.step) == (0, 1) and self.stop >= size


def _cuts(node: HubNode) -> list[_Cut]:
    """One a logical axis, clamped to the tensor as ONNX has it."""
    shape: Shape = node.shape()
    starts, ends = node.required_constant(1, "start").reshape(-1), node.required_constant(2, "end").reshape(-1)
    axes = node.required_constant(3, "axes").reshape(-1) if node.has(3) else np.arange(starts.size)
    steps = node.required_constant(4, "steps").reshape(-1) if node.has(4) else np.ones(starts.size, np.int64)
    if math.prod(node.output_shape()) == 0:
        raise node.unsupported("it cuts out nothing, and TFLite has no empty tensors")
    cuts = [_Cut(0, size, 1) for size in shape]
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        place = normalized(axis, len(shape))
        first, stop, stride = slice(start, end, step).indices(shape[place])
        cuts[place] = _Cut(first, stop, stride)
    return cuts
