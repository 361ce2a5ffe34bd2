"""`Consumer`: a layer that sums over channels of which some may go, as a matrix of weights times columns of its input.

A grouped convolution is one such product for each group. The same place of each group goes, so that rows of all groups have the
same units; other layers are one group.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import attribute, constant, sole_consumer
from edgekit_converters.hub.patches import Window, window_of
from edgekit_converters.prune.dependencies import STAYS, Array, Cut, Dependencies, Role, Space, Units
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import name_of, value_name
from edgekit_converters.rules import RECURRENT

LARGEST_PATCH = 1600
"""Channels times kernel positions up to which a convolution is refitted on whole patches of its input."""

LARGEST_MATRIX = 4096
"""Channels up to which a layer is refitted at all: the Gram matrix of as many takes 64 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """Where a layer's bias lies: elements ``start`` to ``start + count`` of the last axis of a constant operand."""

    use: Use
    start: int
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Consumer:
    """``value``: what is read, its channels on ``channel_axis``. ``own_state``: it is what the layer itself gave a step before.

    ``window``: of a convolution refitted on patches; None: each channel at one place is a column of its own.
    """

    node: ir.Node
    cut: Cut
    value: str
    channel_axis: int
    bias: Bias | None
    window: Window | None = None
    own_state: bool = False

    @property
    def name(self) -> str:
        return name_of(self.node)

    @property
    def use(self) -> Use:
        return self.cut.use

    @property
    def groups(self) -> int:
        return _groups(self.node)

    @property
    def channel_units(self) -> Units:
        """The unit of each channel of the value."""
        return self.cut.units if _is_transposed(self.node) else np.tile(self.cut.units, self.groups)

    @property
    def units(self) -> Units:
        """The unit of each row of the columns, in every group."""
        own = self.channel_units[: len(self.channel_units) // self.groups]
        return own if self.window is None else np.repeat(own, self.window.taps)

    def weights(self) -> NDArray[np.float32]:
        """(groups, results of a group, rows of the columns)."""
        array = _array(self.node, self.cut.index)
        if self.window is not None:
            return np.ascontiguousarray(array.reshape(self.groups, len(array) // self.groups, -1))
        moved = np.moveaxis(array, self.cut.axis, -1)
        if _is_transposed(self.node):  # (made of a group, ..., taken of all)
            parted = moved.reshape(-1, self.groups, moved.shape[-1] // self.groups).swapaxes(0, 1)
        else:  # (made of all, ..., taken of a group)
            parted = moved.reshape(self.groups, -1, moved.shape[-1])
        return np.ascontiguousarray(parted)

    def operand(self, weights: Array) -> NDArray[np.float32]:
        """The constant operand that holds these weights: `weights` backwards, with as many channels as they have."""
        shape = list(_array(self.node, self.cut.index).shape)
        if self.window is not None:
            shape[1] = weights.shape[-1] // self.window.taps
            return np.ascontiguousarray(weights.reshape(shape), np.float32)
        moved = [dim for axis, dim in enumerate(shape) if axis != self.cut.axis]
        if _is_transposed(self.node):
            array = weights.swapaxes(0, 1).reshape(*moved, self.groups * weights.shape[-1])
        else:
            array = weights.reshape(*moved, weights.shape[-1])
        return np.ascontiguousarray(np.moveaxis(array, -1, self.cut.axis), np.float32)

    def columns(self, array: Array, most: int, turn: int) -> NDArray[np.float32]:
        """(groups, rows, columns) of one batch of the value.

        They are about ``most`` columns, evenly spread; ``turn`` (the batch) varies which.
        """
        found = self._columns(array, most, turn)
        return found.reshape(self.groups, -1, found.shape[-1])

    def _columns(self, array: Array, most: int, turn: int) -> NDArray[np.float32]:
        if self.window is not None:
            return _patches(self.window, array, most, turn)
        axis = min(self.channel_axis, array.ndim - 1)  # without padding, sentences and tokens are one axis
        moved = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
        step = max(1, math.ceil(moved.shape[1] / most))
        while step > 1 and moved.shape[1] % step == 0:
            step -= 1
        return np.ascontiguousarray(moved[:, turn % step :: step], np.float32)


def _groups(node: ir.Node) -> int:
    return int(attribute(node, "group", 1)) if node.op_type in _CONVOLUTIONS else 1


def _is_transposed(node: ir.Node) -> bool:
    return node.op_type == "ConvTranspose"


_CONVOLUTIONS = ("Conv", "ConvTranspose")


def _patches(window: Window, array: Array, most: int, turn: int) -> NDArray[np.float32]:
    """(channels x kernel positions, columns): at the same places of all samples."""
    count, each = math.prod(window.output_sizes(array.shape[2:])), max(1, most // len(array))
    drawn = np.arange(count) if count <= each else np.random.default_rng(turn).choice(count, each, replace=False)
    places = (np.arange(len(array))[:, None] * count + drawn).reshape(-1)
    found = window.patches(array, places)
    return np.ascontiguousarray(found.transpose(2, 1, 0)).reshape(-1, len(places))


def consumers_of(hub: Hub, found: Dependencies) -> list[Consumer]:
    """The layers that sum over removable channels, in order; those too large or too unusual to be refitted are left out."""
    nodes = {name_of(node): node for node in hub.model.graph}
    made = [
        consumer
        for cut in found.cuts
        if cut.role is Role.TAKES and (cut.units != STAYS).any()
        for consumer in _consumer(nodes[cut.node], cut)
    ]
    order = {name: place for place, name in enumerate(nodes)}
    return sorted(made, key=lambda consumer: (order[consumer.name], consumer.cut.index))


def refittable(consumers: Sequence[Consumer]) -> list[Consumer]:
    """Those that have their weights for themselves. A cell that is called at every step, or twin branches, keep one set of them:
    refitted apart, each would be stored on its own."""
    own = [(consumer.cut.index, sha256(consumer.weights().tobytes()).digest()) for consumer in consumers]
    times = Counter(own)
    return [consumer for consumer, key in zip(consumers, own, strict=True) if times[key] == 1]


def read_spaces(spaces: Sequence[Space], consumers: Sequence[Consumer]) -> list[Space]:
    """The spaces with the units that any consumer reads, those with none left out.

    Of units that no layer sums over with weights of its own (queries and keys) it can't be told what they are worth: they stay.
    """
    read = np.unique(np.concatenate([consumer.units for consumer in consumers])) if consumers else np.array([])
    own = [replace(space, units=space.units[np.isin(space.units, read)]) for space in spaces]
    return [space for space in own if len(space.units)]


def _consumer(node: ir.Node, cut: Cut) -> Iterator[Consumer]:
    kind = node.op_type
    read = node.inputs[0]
    assert read is not None
    rows = len(cut.units) // (_groups(node) if _is_transposed(node) else 1)
    if rows > LARGEST_MATRIX:
        return
    if kind in RECURRENT:
        own = cut.index == 2
        if own and not node.outputs[0].name:
            return
        value = node.outputs[0] if own else read
        yield Consumer(node, cut, value_name(value), 3 if own else 2, _recurrent_bias(node, own), own_state=own)
        return
    axis = 1 if kind in _CONVOLUTIONS else len(read.shape or ()) - 1
    yield Consumer(node, cut, value_name(read), axis, _bias(node), _window(node, rows))


def _window(node: ir.Node, channels: int) -> Window | None:
    if node.op_type != "Conv":
        return None
    window = window_of(node)
    return None if window.is_one_place or channels * window.taps > LARGEST_PATCH else window


def _bias(node: ir.Node) -> Bias | None:
    if node.op_type == "MatMul":
        adding = sole_consumer(node.outputs[0])
        if adding is None or adding.op_type != "Add":
            return None
        return next((_last_axis(adding, index) for index in (0, 1) if constant(adding.inputs[index]) is not None), None)
    return _last_axis(node, 2) if len(node.inputs) > 2 and node.inputs[2] is not None else None


def _last_axis(node: ir.Node, index: int) -> Bias | None:
    array = constant(node.inputs[index])
    if array is None or array.ndim == 0 or array.size != array.shape[-1] or array.size == 1:
        return None
    return Bias(Use(name_of(node), index), 0, array.size)


def _recurrent_bias(node: ir.Node, own: bool) -> Bias | None:
    array = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    if array is None or array.shape[0] != 1:
        return None
    half = array.shape[1] // 2
    return Bias(Use(name_of(node), 3), half if own else 0, half)


def _array(node: ir.Node, index: int) -> Array:
    array = constant(node.inputs[index])
    assert array is not None
    return array
