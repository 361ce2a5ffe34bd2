"""`stream_of`: the residual stream of a Transformer that a layer's results are added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import constant, dims, sole_consumer
from edgekit_converters.prune.consumers import Consumer
from edgekit_converters.prune.dependencies import STAYS, Dependencies, Stays
from edgekit_converters.quantize.scheme import name_of, value_name

BEHIND = 2
"""Layers of a stream that make good what it lost with a block."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The value before the layer's results are added, and its channels, on the last axis."""

    value: str
    channels: int


def stream_of(hub: Hub, found: Dependencies, consumer: Consumer) -> Stream | None:
    """What a dense layer of tokens adds its results to, if that is computed before them and keeps all its channels.

    Of convolutions it is not looked for: making good there what the stream has lost follows the samples too far.
    """
    results = _biased(consumer)
    adding = None if results is None else sole_consumer(results)
    if results is None or adding is None or adding.op_type != "Add":
        return None
    other = next((value for value in adding.inputs if value is not None and value is not results), None)
    if other is None or constant(other) is not None or not alike(other, results):
        return None
    channels, axis = (dims(other) or ())[-1], len(dims(other) or ()) - 1
    units = found.axes.get(value_name(other), {}).get(axis)
    loses = units is not None and (units != STAYS).any()
    if not isinstance(channels, int) or loses or not _is_before(hub, other, consumer.node):
        return None
    return Stream(value_name(other), channels)


def behind_blocks(hub: Hub, found: Dependencies, consumers: Sequence[Consumer], stays: Stays) -> frozenset[str]:
    """The layers that add to a stream behind blocks that are gone, the next few behind each."""
    gone = found.gone(stays)
    if not gone:
        return frozenset()
    place = {name_of(node): place for place, node in enumerate(hub.model.graph)}
    adding = [
        place[each.name] for each in consumers if each.name not in gone and stream_of(hub, found, each) is not None
    ]
    lost = [place[block.adding] for block in found.blocks if not stays[block.unit] and block.adding not in gone]
    near = {one for start in lost for one in sorted({each for each in adding if each > start})[:BEHIND]}
    return frozenset(each.name for each in consumers if place[each.name] in near)


def _biased(consumer: Consumer) -> ir.Value | None:
    """The results with their bias, of products with a row a token. A MatMul's bias is the constant of the Add behind it."""
    results = consumer.node.outputs[0]
    if consumer.node.op_type != "MatMul" or consumer.bias is None or len(dims(results) or ()) < _TOKENS_RANK:
        return None
    adding = sole_consumer(results)
    return None if adding is None else adding.outputs[0]


_TOKENS_RANK = 3


def alike(one: ir.Value, other: ir.Value) -> bool:
    """Whether neither is repeated when they are added; lengths that are not known have names of their own."""
    pair = dims(one) or (), dims(other) or ()
    kinds = [isinstance(a, int) == isinstance(b, int) for a, b in zip(*pair, strict=False)]
    equal = [a == b or not isinstance(a, int) for a, b in zip(*pair, strict=False)]
    return len(pair[0]) == len(pair[1]) and all(kinds) and all(equal)


def _is_before(hub: Hub, value: ir.Value, node: ir.Node) -> bool:
    """Whether the value is there when the node is to be computed."""
    first = next((each for each in hub.model.graph if each is node or each is value.producer()), node)
    return value.producer() is None or first is not node
