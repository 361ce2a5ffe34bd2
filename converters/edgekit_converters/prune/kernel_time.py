"""`KernelTime`: about how long the runtimes' kernels take for what stays of a network, as multiply-accumulates that take as long.

An estimate from shapes alone, so that the same network is pruned alike on every machine. Kernels work on blocks of channels: 16
in ONNX Runtime's float convolutions, 8 in others; below 16 some are slower than at 16. Depthwise convolutions multiply at
about a fifth of the rate of dense ones, and what is read or written takes time too. `scripts/bench/channel_counts.py` and
`scripts/bench/pruning.py` measure what it is worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import all_values, attribute, static_shape
from edgekit_converters.prune.costs import Term
from edgekit_converters.prune.dependencies import Dependencies, Stays, Units, share
from edgekit_converters.quantize.scheme import name_of, value_name

BLOCKS = (8, 16)
"""Channels that kernels work on at a time; half of the files' runtimes each."""

NARROW, NARROW_TIME = 16, 1.2
"""Layers of fewer channels take so much longer than one of as many: the mean over runtimes and precisions."""

REST = 1.4
"""Time of a depthwise convolution whose channels are no whole blocks, over that of the next whole block."""

GROUPED = 5.0
"""Multiply-accumulates of a dense convolution that take as long as one of a grouped or depthwise one."""

MOVED = 5.0
"""Multiply-accumulates that take as long as to read or to write a number."""


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    """A value that is read or written; in proportion to what stays of its axes."""

    numbers: int
    axes: tuple[Units, ...]

    def left(self, stays: Stays) -> float:
        return MOVED * self.numbers * math.prod(share(units, stays) for units in self.axes)


@dataclass(frozen=True, slots=True, eq=False)
class _Multiplied:
    """The products of a node. ``whole``: when nothing is removed, in full blocks."""

    whole: float
    axes: tuple[Units, ...]
    grouped: bool

    def left(self, stays: Stays) -> float:
        time = in_grouped_blocks if self.grouped else in_blocks
        return self.whole * math.prod(
            time(int(stays[units].sum())) / time(len(units)) for units in self.axes if len(units)
        )


@dataclass(frozen=True, slots=True, eq=False)
class KernelTime:
    """A sum over the nodes that multiply; the others mostly disappear in them."""

    terms: tuple[_Moved | _Multiplied, ...]

    def left(self, stays: Stays) -> float:
        return sum(term.left(stays) for term in self.terms)


def in_blocks(channels: int) -> float:
    """In how many channels' time the kernels compute these, the mean over `BLOCKS`; what is gone takes none."""
    if not channels:
        return 0.0
    if channels < NARROW:
        return NARROW_TIME * NARROW
    return sum(_up_to(channels, block) for block in BLOCKS) / len(BLOCKS)


def in_grouped_blocks(channels: int) -> float:
    """The same of depthwise convolutions: in blocks of 16 alone, and what is over takes longer than a block."""
    return _up_to(channels, max(BLOCKS)) * (REST if channels % max(BLOCKS) else 1.0)


def _up_to(channels: int, block: int) -> int:
    return -(-channels // block) * block


def kernel_time(hub: Hub, found: Dependencies, mac_terms: Sequence[Term]) -> KernelTime:
    """Of the nodes whose multiply-accumulates ``mac_terms`` are."""
    by_name = {name_of(node): node for node in hub.model.graph}
    values = {value.name: value for value in all_values(hub.model) if value.name}
    products = [_multiplied(by_name[term.node], term) for term in mac_terms]
    nodes = dict.fromkeys(term.node for term in mac_terms)  # recurrent ones have several terms
    moved = [
        _moved(values[name], found, found.blocks_of(node))
        for node in nodes
        for name in _traffic(by_name[node])
        if name in values
    ]
    return KernelTime((*products, *moved))


def _multiplied(node: ir.Node, term: Term) -> _Multiplied:
    grouped = node.op_type == "Conv" and attribute(node, "group", 1) > 1
    kernel = static_shape(node.inputs[1]) if node.op_type == "Conv" else None
    if grouped:
        return _Multiplied(term.whole * GROUPED, term.axes, grouped)
    channels = () if kernel is None else kernel[:2]  # pictures of three channels are as dear as of a whole block
    return _Multiplied(term.whole * math.prod(in_blocks(n) / n for n in channels if n), term.axes, grouped)


def _traffic(node: ir.Node) -> Iterator[str]:
    for value in (*node.inputs[:1], *node.outputs[:1]):
        if value is not None and value.name:
            yield value.name


def _moved(value: ir.Value, found: Dependencies, blocks: tuple[Units, ...]) -> _Moved:
    axes: Mapping[int, Units] = found.axes.get(value_name(value), {})
    sizes = [dim if isinstance(dim, int) else 1 for dim in value.shape or ()]
    return _Moved(math.prod(sizes), (*axes.values(), *blocks))
