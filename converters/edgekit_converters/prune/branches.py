"""`residual_branches`: what is added to a stream that goes on without it: ``x + f(x)`` can be ``x`` and a constant.

A branch is whatever only the one operand of the Add needs: convolutions with their normalizations, gates and squeezes, an
attention part with its heads, a feed-forward part. It must read the stream that it is added to, itself or through a
normalization that others read too, so that a sum of two networks is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import attribute, constant, dims
from edgekit_converters.prune.stream import alike
from edgekit_converters.quantize.scheme import is_constant, name_of, value_name
from edgekit_converters.quantize.sequential_group import captured
from edgekit_converters.rules import RECURRENT

LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", *RECURRENT})
"""Nodes that have weights; a branch without any saves nothing."""


@dataclass(frozen=True, slots=True)
class Branch:
    """``nodes`` are all that only the branch needs, ``layers`` those with weights, in order.

    ``adding`` reads the branch as its operand ``operand``; ``stream`` and ``result``: the values that it adds. Channels lie on
    ``axis``, of ``rank``.
    """

    name: str
    nodes: frozenset[str]
    layers: tuple[str, ...]
    adding: str
    operand: int
    stream: str
    result: str
    axis: int
    rank: int


def residual_branches(hub: Hub) -> tuple[Branch, ...]:
    """The branches of the hub in the order of their additions; some may lie within others."""
    nodes = list(hub.model.graph)
    layers = [name_of(node) for node in nodes if _has_weights(node)]
    found = []
    for place, node in enumerate(nodes):
        if (
            node.op_type == "Add"
            and node.domain == ""
            and not any(is_constant(v) for v in node.inputs if v is not None)
        ):
            found += [replace(branch, name=_name(branch.layers, layers)) for branch in _branches(node, nodes[:place])]
    return tuple(found)


def _branches(adding: ir.Node, before: list[ir.Node]) -> Iterator[Branch]:
    for operand in (0, 1):
        result, stream = adding.inputs[operand], adding.inputs[1 - operand]
        if result is None or stream is None or result is stream or not alike(stream, adding.outputs[0]):
            continue
        inner = _needed_alone(adding, operand, before)
        layers = [node for node in inner if _has_weights(node)]
        axis = _channel_axis(result, layers)
        if not layers or axis is None or not _reads(inner, _stream_values(stream)):
            continue
        names = tuple(name_of(node) for node in layers)
        yield Branch(
            name=name_of(adding),
            nodes=frozenset(name_of(node) for node in inner),
            layers=names,
            adding=name_of(adding),
            operand=operand,
            stream=value_name(stream),
            result=value_name(result),
            axis=axis,
            rank=len(dims(stream) or ()),
        )


def _needed_alone(adding: ir.Node, operand: int, before: list[ir.Node]) -> list[ir.Node]:
    """Nodes whose results nothing reads but that operand and each other, in order."""
    inner: set[ir.Node] = set()
    for node in reversed(before):
        uses = [use for value in node.outputs for use in value.uses()]
        given = any(value.is_graph_output() for value in node.outputs)
        if uses and not given and all(use.node in inner or (use.node is adding and use.idx == operand) for use in uses):
            inner.add(node)
    return [node for node in before if node in inner]


def _has_weights(node: ir.Node) -> bool:
    return node.op_type in LAYERS and node.domain == "" and constant(node.inputs[1]) is not None


def _reads(inner: list[ir.Node], stream: set[ir.Value]) -> bool:
    """Whether any node reads the stream, or what a node outside makes of it alone."""
    members = set(inner)
    read = {value for node in inner for value in (*node.inputs, *captured(node)) if value is not None}
    outside = [value for value in read if value.producer() not in members and not is_constant(value)]
    return any(value in stream or _made_of(value) & stream for value in outside)


def _made_of(value: ir.Value) -> set[ir.Value]:
    node = value.producer()
    return (
        set() if node is None or node.op_type not in _NORMALIZATIONS else {v for v in node.inputs[:1] if v is not None}
    )


_NORMALIZATIONS = ("LayerNormalization", "GroupNormalization", "InstanceNormalization", "RMSNormalization")


def _stream_values(stream: ir.Value) -> set[ir.Value]:
    """The stream, and where it is a sum, what was added up: branches side by side read what the first is added to."""
    found, pending = {stream}, [stream]
    while pending:
        node = pending.pop().producer()
        if node is not None and node.op_type == "Add" and node.domain == "":
            summands = {value for value in node.inputs if value is not None and not is_constant(value)} - found
            found |= summands
            pending += summands
    return found


def _channel_axis(result: ir.Value, layers: list[ir.Node]) -> int | None:
    """Where the channels lie: as the last layer before the result gives them, transposed since. None: not of known number."""
    orders: list[tuple[int, ...]] = []
    value, rank = result, len(dims(result) or ())
    axis = rank - 1
    while (node := value.producer()) is not None:
        given = next((each for each in node.inputs if each is not None and not is_constant(each)), None)
        axis = 1 if node.op_type in ("Conv", "ConvTranspose") else len(dims(value) or ()) - 1
        if node in layers or given is None or len(dims(given) or ()) != len(dims(value) or ()):
            break  # made here, or reshaped: the last axis is taken
        if node.op_type == "Transpose":
            orders.append(attribute(node, "perm", ()))
        value = given
    for order in reversed(orders):
        axis = order.index(axis)
    known = dims(result) or ()
    return axis if 0 < axis < rank and isinstance(known[axis], int) else None


def _name(layers: tuple[str, ...], every: list[str]) -> str:
    """What the names of these layers and of no others begin with, up to a whole part; otherwise the first and the last."""
    if len(layers) == 1:
        return layers[0]
    parts, others = [_parts(name) for name in layers], [_parts(name) for name in every]
    shared = [same[0] for same in takewhile(lambda each: len(set(each)) == 1, zip(*parts, strict=False))]
    apart = shared and sum(other[: len(shared)] == shared for other in others) == len(layers)
    return "".join(shared) if apart else f"{layers[0]} ... {layers[-1]}"


def _parts(name: str) -> list[str]:
    return re.split(r"(?=[/.])", name)
