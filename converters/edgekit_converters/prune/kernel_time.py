"""`FileTimes`: about which part of the time of its kernels is left of a network, in the kind of file that gains least.

An estimate from shapes alone, so that the same network is pruned alike on every machine. Kernels work on blocks of channels: 16
in ONNX Runtime's float convolutions, 8 in others; below 16 some are slower than at 16. Depthwise convolutions multiply at
about a fifth of the rate of dense ones, and what is read or written takes time too. `scripts/bench/channel_counts.py` and
`scripts/bench/pruning.py` measure what it is worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import all_values, attribute, static_shape
from edgekit_converters.prune.costs import Term
from edgekit_converters.prune.dependencies import Dependencies, Stays, Units, share
from edgekit_converters.quantize.scheme import name_of, value_name


@dataclass(frozen=True, slots=True)
class Rates:
    """What kernels take, in multiply-accumulates of a dense convolution that take as long.

    ``blocks``: channels that they work on at a time, each for an equal part of the runtimes. ``narrow``: time of fewer than
    `NARROW` channels over that of as many. ``rest``: time of a depthwise convolution whose channels are no whole blocks,
    over that of the next whole one. ``grouped``: one multiply-accumulate of a grouped or depthwise convolution. ``read``,
    ``written``, ``written_grouped``: a number that is read, written, written by a grouped or depthwise convolution.
    """

    blocks: tuple[int, ...]
    narrow: float
    rest: float
    grouped: float
    read: float
    written: float
    written_grouped: float

    def in_blocks(self, channels: int) -> float:
        """In how many channels' time the kernels compute these; what is gone takes none."""
        if not channels:
            return 0.0
        if channels < NARROW:
            return self.narrow * NARROW
        return sum(_up_to(channels, block) for block in self.blocks) / len(self.blocks)

    def in_grouped_blocks(self, channels: int) -> float:
        """The same of depthwise convolutions: in blocks of 16, and what is over takes longer than a block."""
        return _up_to(channels, NARROW) * (self.rest if channels % NARROW else 1.0)


NARROW = 16
"""Channels below which kernels gain nothing, and a block of depthwise convolutions."""

MEAN = Rates(blocks=(8, 16), narrow=1.2, rest=1.4, grouped=5.0, read=5.0, written=5.0, written_grouped=5.0)
"""Over the four kinds of files, float and int8 in ONNX Runtime and LiteRT."""

INT8_ONNX = Rates(blocks=(8,), narrow=1.7, rest=2.0, grouped=5.3, read=5.0, written=16.0, written_grouped=50.0)
"""The int8 file in ONNX Runtime, fitted to its profile of EfficientNet-Lite0 (6 % off the times of dense layers in the mean, 12 %
off those of depthwise ones). It multiplies fast, so that more of its time goes into what few cuts make less."""


def _up_to(channels: int, block: int) -> int:
    return -(-channels // block) * block


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    """A value that is read or written; in proportion to what stays of its axes."""

    whole: float
    axes: tuple[Units, ...]

    def left(self, stays: Stays) -> float:
        return self.whole * math.prod(share(units, stays) for units in self.axes)


@dataclass(frozen=True, slots=True, eq=False)
class _Multiplied:
    """The products of a node. ``whole``: when nothing is removed, in full blocks."""

    whole: float
    axes: tuple[Units, ...]
    time: Callable[[int], float]

    def left(self, stays: Stays) -> float:
        return self.whole * math.prod(
            self.time(int(stays[units].sum())) / self.time(len(units)) for units in self.axes if len(units)
        )


@dataclass(frozen=True, slots=True, eq=False)
class KernelTime:
    """A sum over the nodes that multiply; the others mostly disappear in them."""

    terms: tuple[_Moved | _Multiplied, ...]

    def left(self, stays: Stays) -> float:
        return sum(term.left(stays) for term in self.terms)


@dataclass(frozen=True, slots=True, eq=False)
class FileTimes:
    """``kinds``: the time of each kind of file, and what it takes of the whole network."""

    kinds: tuple[tuple[KernelTime, float], ...]

    def left(self, stays: Stays) -> float:
        """The part of the time that is left, of the kind that gains least."""
        return max(time.left(stays) / whole for time, whole in self.kinds)


def file_times(hub: Hub, found: Dependencies, mac_terms: Sequence[Term]) -> FileTimes:
    """Of the nodes whose multiply-accumulates ``mac_terms`` are."""
    whole = found.none_removed()
    times = [kernel_time(hub, found, mac_terms, rates) for rates in (MEAN, INT8_ONNX)]
    return FileTimes(tuple((time, max(1.0, time.left(whole))) for time in times))


def kernel_time(hub: Hub, found: Dependencies, mac_terms: Sequence[Term], rates: Rates) -> KernelTime:
    """Of the nodes whose multiply-accumulates ``mac_terms`` are, in files of one kind."""
    by_name = {name_of(node): node for node in hub.model.graph}
    values = {value.name: value for value in all_values(hub.model) if value.name}
    products = [_multiplied(by_name[term.node], term, rates) for term in mac_terms]
    nodes = dict.fromkeys(term.node for term in mac_terms)  # recurrent ones have several terms
    moved = [
        _moved(values[name], found, each, found.blocks_of(node))
        for node in nodes
        for name, each in _traffic(by_name[node], rates)
        if name in values
    ]
    return KernelTime((*products, *moved))


def _multiplied(node: ir.Node, term: Term, rates: Rates) -> _Multiplied:
    if _is_grouped(node):
        return _Multiplied(term.whole * rates.grouped, term.axes, rates.in_grouped_blocks)
    kernel = static_shape(node.inputs[1]) if node.op_type == "Conv" else None
    channels = () if kernel is None else kernel[:2]  # pictures of three channels are as dear as of a whole block
    whole = term.whole * math.prod(rates.in_blocks(n) / n for n in channels if n)
    return _Multiplied(whole, term.axes, rates.in_blocks)


def _is_grouped(node: ir.Node) -> bool:
    return node.op_type == "Conv" and attribute(node, "group", 1) > 1


def _traffic(node: ir.Node, rates: Rates) -> Iterator[tuple[str, float]]:
    """What a node reads and writes, and what a number of it takes."""
    written = rates.written_grouped if _is_grouped(node) else rates.written
    for value, each in ((node.inputs[0], rates.read), (node.outputs[0], written)):
        if value is not None and value.name:
            yield value.name, each


def _moved(value: ir.Value, found: Dependencies, each: float, blocks: tuple[Units, ...]) -> _Moved:
    axes: Mapping[int, Units] = found.axes.get(value_name(value), {})
    sizes = [dim if isinstance(dim, int) else 1 for dim in value.shape or ()]
    return _Moved(each * math.prod(sizes), (*axes.values(), *blocks))
