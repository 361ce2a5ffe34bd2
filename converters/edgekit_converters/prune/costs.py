"""`Costs`: multiply-accumulates, parameters and bytes of a hub as functions of what stays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import attribute, constant, static_shape
from edgekit_converters.inspection.onnx_macs import macs_of
from edgekit_converters.prune.dependencies import Dependencies, Stays, Units, share
from edgekit_converters.prune.lengths import lengths_of
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import name_of, value_name
from edgekit_converters.rules import RECURRENT


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """``whole`` when nothing is removed; in proportion to what stays of each axis."""

    node: str
    whole: float
    axes: tuple[Units, ...]

    def left(self, stays: Stays) -> float:
        return self.whole * math.prod(share(units, stays) for units in self.axes)


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """Multiply-accumulates of one sample, and parameters."""

    mac_terms: tuple[Term, ...]
    parameter_terms: tuple[Term, ...]

    def macs(self, stays: Stays) -> float:
        return sum(term.left(stays) for term in self.mac_terms)

    def parameters(self, stays: Stays) -> float:
        return sum(term.left(stays) for term in self.parameter_terms)


def costs_of(hub: Hub, found: Dependencies) -> Costs:
    """What each node costs for one sample."""
    shapes = lengths_of(hub)
    terms = [term for node in hub.model.graph for term in _macs(node, shapes, found) if term.whole]
    return Costs(tuple(terms), tuple(_parameters(hub, found)))


def _macs(node: ir.Node, shapes: dict[str, tuple[int, ...]], found: Dependencies) -> Iterator[Term]:
    name = name_of(node)
    blocks = found.blocks_of(name)
    whole = float(macs_of(ir.to_proto(node), shapes) or 0)
    if node.op_type in RECURRENT:
        inputs, units = static_shape(node.inputs[1]) or (1, 1, 1), static_shape(node.inputs[2]) or (1, 1, 1)
        for index, part in ((1, inputs[2]), (2, units[2])):
            yield Term(name, whole * part / (inputs[2] + units[2]), (*_cut_axes(found, name, index), *blocks))
    elif len(node.inputs) > 1 and constant(node.inputs[1]) is not None:
        yield Term(name, whole, (*_cut_axes(found, name, 1), *blocks))
    elif whole:
        made = found.axes.get(value_name(node.outputs[0]), {})
        first = node.inputs[0]
        assert first is not None
        last = 0 if attribute(node, "transA", 0) else len(first.shape or ()) - 1
        summed = found.axes.get(value_name(first), {}).get(last)
        yield Term(name, whole, (*made.values(), *(() if summed is None else (summed,)), *blocks))


def _cut_axes(found: Dependencies, node: str, index: int) -> tuple[Units, ...]:
    return tuple(cut.units for cut in found.cuts_of(Use(node, index)))


def _parameters(hub: Hub, found: Dependencies) -> Iterator[Term]:
    """Constants of several uses count once where nothing is cut from them."""
    seen: set[ir.Value] = set()
    for node in hub.model.graph:
        for index, value in enumerate(node.inputs):
            array = constant(value)
            if value is None or array is None or array.dtype.kind != "f":
                continue
            axes = _cut_axes(found, name_of(node), index)
            if axes or value not in seen:
                yield Term(name_of(node), float(array.size), (*axes, *found.blocks_of(name_of(node))))
            seen.add(value)
