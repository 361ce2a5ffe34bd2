"""`widen_channel_counts`: channels between convolutions in counts that ONNX Runtime has fast int8 kernels for.

Its kernels take 16 results and more, by multiples of 4; depthwise ones by multiples of 16. Everything else is copied together
first: chains of 3x3 convolutions take 0.114 ms with 4 channels and 0.178 with 14, 0.092 with 16; 0.206 with 18 and 0.127 with 20.
Channels whose weights are 0, and that weights of 0 read, change no result.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgekit_converters.writers.onnx.editor import GraphEditor
from edgekit_converters.writers.onnx.integers import array_of, dequantized, parts_of, quantize_after, stored

DENSE, DEPTHWISE, LEAST = 4, 16, 16
"""Multiples of channels, and the fewest, that the kernels take."""

FEWEST, MOST_TAPS = 4, 25
"""Channels and kernel positions, from which and up to which fewer than `LEAST` gain by being as many."""

_ALONE = ("Relu", "Clip", "MaxPool", "AveragePool")
"""Operators that work on each channel by itself."""


@dataclass(slots=True)
class _Channels:
    """Values whose channels correspond: the convolutions that make, take and pass them on."""

    values: list[ir.Value] = field(default_factory=list)
    makers: list[ir.Node] = field(default_factory=list)
    takers: list[ir.Node] = field(default_factory=list)
    depthwise: list[ir.Node] = field(default_factory=list)


def widen_channel_counts(editor: GraphEditor) -> None:
    """Add channels of zeros wherever nothing but convolutions and operators on single channels meets them."""
    for channels in _free(editor.graph):
        count = int(array_of(_kernel(channels.makers[0])).shape[0])
        wanted = _wanted(count, channels)
        if wanted > count:
            _widen(editor, channels, count, wanted)


def _wanted(count: int, channels: _Channels) -> int:
    multiple = DEPTHWISE if channels.depthwise else DENSE
    wanted = max(LEAST, -(-count // multiple) * multiple)
    dense = [*channels.makers, *channels.takers]
    taps = max(math.prod(array_of(_kernel(node)).shape[2:]) for node in dense)
    gains = count >= LEAST or (count >= FEWEST and taps <= MOST_TAPS)
    return wanted if gains else count


def _free(graph: ir.Graph) -> Iterator[_Channels]:
    """Groups of channels that can be widened, each with a maker."""
    groups = _Groups()
    fixed: list[ir.Value] = [*graph.inputs, *graph.outputs]
    for node in graph:
        read = _channels_read(node)
        if read is None:
            fixed += [value for value in (*node.inputs, *node.outputs) if value is not None]
        elif not is_dense(node):
            groups.unite([*read, node.outputs[0]])
    found: dict[ir.Value, _Channels] = defaultdict(_Channels)
    for node in graph:
        for value in node.outputs:
            found[groups.of(value)].values.append(value)
        if is_dense(node):
            found[groups.of(node.outputs[0])].makers.append(node)
            found[groups.of(node.inputs[0])].takers.append(node)
        elif node.op_type == "Conv":
            found[groups.of(node.outputs[0])].depthwise.append(node)
    kept = {groups.of(value) for value in fixed}
    return (channels for first, channels in found.items() if first not in kept and channels.makers)


class _Groups:
    """Values whose channels correspond; each group goes by the name of one of them."""

    def __init__(self) -> None:
        self._above: dict[ir.Value, ir.Value] = {}

    def of(self, value: ir.Value | None) -> ir.Value:
        assert value is not None
        while value in self._above:
            value = self._above[value]
        return value

    def unite(self, values: Sequence[ir.Value]) -> None:
        for value in values[1:]:
            one, other = self.of(values[0]), self.of(value)
            if one is not other:
                self._above[one] = other


def _channels_read(node: ir.Node) -> list[ir.Value] | None:
    """The values whose channels the node takes or passes on; None where it does anything else with what it reads."""
    first = node.inputs[0] if node.inputs else None
    if node.op_type == "DequantizeLinear" and dequantized(node.outputs[0]) is not None:
        return []
    if first is None or len(node.outputs) != 1:
        return None
    if node.op_type == "Conv":
        return [first] if is_dense(node) or _is_depthwise(node) else None
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        scale = node.inputs[1]
        return [first] if scale is not None and scale.const_value is not None and scale.const_value.size == 1 else None
    if node.op_type == "Add":
        both = [value for value in node.inputs if value is not None and dequantized(value) is None]
        counts = {_count(value) for value in both}
        return both if len(both) == len(node.inputs) and len(counts) == 1 and None not in counts else None
    return [first] if node.op_type in _ALONE else None


def is_dense(node: ir.Node) -> bool:
    """Whether ONNX Runtime computes it on integers, each result from all channels."""
    return _is_integer(node) and node.attributes.get_int("group", 1) == 1


def _is_depthwise(node: ir.Node) -> bool:
    return _is_integer(node) and array_of(_kernel(node)).shape[:2] == (node.attributes.get_int("group", 1), 1)


def _is_integer(node: ir.Node) -> bool:
    """Whether it is a convolution that ONNX Runtime computes on integers."""
    if node.op_type != "Conv" or node.inputs[0] is None or quantize_after(node) is None:
        return False
    read = node.inputs[0].producer()
    constants = all(dequantized(value) is not None for value in node.inputs[1:])
    return constants and read is not None and read.op_type == "DequantizeLinear"


def _kernel(node: ir.Node) -> ir.Value | None:
    dequantize = dequantized(node.inputs[1])
    assert dequantize is not None
    return dequantize.inputs[0]


def _count(value: ir.Value) -> int | None:
    """Channels of a picture or sound."""
    size = value.shape[1] if value.shape is not None and len(value.shape) > 2 else None
    return size if isinstance(size, int) else None


def _widen(editor: GraphEditor, channels: _Channels, count: int, wanted: int) -> None:
    missing = wanted - count
    for node in (*channels.makers, *channels.depthwise):
        for index in range(1, len(node.inputs)):
            _pad(editor, node, index, 0, missing)
    for node in channels.takers:
        _pad(editor, node, 1, 1, missing)
    for node in channels.depthwise:
        node.attributes["group"] = ir.AttrInt64("group", wanted)
    for value in channels.values:
        if value.shape is not None and value.const_value is None:
            value.shape = ir.Shape([wanted if axis == 1 else dim for axis, dim in enumerate(value.shape)])


def _pad(editor: GraphEditor, node: ir.Node, index: int, axis: int, missing: int) -> None:
    """Zeros at the end of a constant operand's axis."""
    integers, scale, zero_point = parts_of(node.inputs[index])
    wider = np.pad(integers, [(0, missing if each == axis else 0) for each in range(integers.ndim)])
    if axis == 0 and scale.size != 1:
        scale, zero_point = np.pad(scale, (0, missing), mode="edge"), np.pad(zero_point, (0, missing))
    name = f"{node.name}_{'bias' if index == 2 else 'weight'}_wide"
    node.replace_input_with(index, stored(editor, wider, scale, zero_point, 1, name))
