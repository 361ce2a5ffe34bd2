"""`Provenance`: which elements of the user's parameters a hub's constants hold, and what stays of them when units go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import constant
from edgekit_converters.prune.dependencies import Dependencies
from edgekit_converters.prune.removal import cut_operand
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.scheme import name_of
from edgekit_converters.training.parameters import Parameter, Values
from edgekit_converters.training.tags import NONE, Ids, Tags

Kept = tuple[NDArray[np.int64], ...]
"""The indices that stay, by axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Provenance:
    """``operands``: the number of the element at each place of a constant operand, for those that hold any."""

    tags: Tags
    operands: Mapping[Use, Ids]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.tags.parameters

    def kept(self, found: Dependencies, stays: NDArray[np.bool_]) -> dict[str, Kept]:
        """What stays of each parameter, by name.

        Raises ConversionError where that is no part of it that slices could take.
        """
        seen, left = self._seen_and_left(found, stays)
        kept = {
            parameter.name: _axes(parameter, seen[self._slice(parameter)], left[self._slice(parameter)])
            for parameter in self.parameters
            if parameter.name in self.tags.starts and seen[self._slice(parameter)].any()
        }
        for parameter in self.parameters:
            if parameter.name not in kept:
                kept[parameter.name] = self._followed(parameter, kept)
        return kept

    def squares(self, values: Values) -> NDArray[np.float64]:
        """The square of what the parameters hold now, by number."""
        squares = np.zeros(self._end)
        for parameter in self.parameters:
            if parameter.name in self.tags.starts:
                squares[self._slice(parameter)] = values[parameter.name].astype(np.float64).reshape(-1) ** 2
        return squares

    @property
    def _end(self) -> int:
        return max((self.tags.range_of(one).stop for one in self.parameters if one.name in self.tags.starts), default=0)

    def _seen_and_left(
        self, found: Dependencies, stays: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each number is in the hub, and whether it still is without the units that go."""
        seen, left = np.zeros(self._end, bool), np.zeros(self._end, bool)
        for use, ids in self.operands.items():
            cuts = found.cuts_of(use)
            seen[ids[ids != NONE]] = True
            remaining = cut_operand(ids, cuts, stays)
            left[remaining[remaining != NONE]] = True
        return seen, left

    def _slice(self, parameter: Parameter) -> slice:
        numbers = self.tags.range_of(parameter)
        return slice(numbers.start, numbers.stop)

    def _followed(self, parameter: Parameter, kept: Mapping[str, Kept]) -> Kept:
        if parameter.follows is not None and parameter.follows[0] in kept:
            leader, axis = parameter.follows
            return (kept[leader][axis],)
        return tuple(np.arange(size) for size in parameter.shape)


def provenance_of(tags: Tags, hub: Hub, tagged: Hub) -> Provenance:
    """``tagged``: the hub of the same network with the tags in its parameters.

    Raises ConversionError when the two hubs do not have the same nodes.
    """
    pairs = list(_pairs(hub, tagged))
    operands: dict[Use, Ids] = {}
    for node, other in pairs:
        for index, (value, marked) in enumerate(zip(node.inputs, other.inputs, strict=True)):
            array, tags_there = constant(value), constant(marked)
            if array is None or tags_there is None or tags_there.dtype != np.float32 or array.shape != tags_there.shape:
                continue
            ids = tags.ids(tags_there)
            if (ids != NONE).any():
                operands[Use(name_of(node), index)] = ids
    return Provenance(tags, operands)


def _pairs(hub: Hub, tagged: Hub) -> Iterator[tuple[ir.Node, ir.Node]]:
    nodes, others = list(hub.model.graph), list(tagged.model.graph)
    for node, other in zip(nodes, others, strict=False):
        if (node.name, node.op_type, len(node.inputs)) != (other.name, other.op_type, len(other.inputs)):
            raise ConversionError(_apart(f"{node.name} ({node.op_type})", f"{other.name} ({other.op_type})"))
        yield node, other
    if len(nodes) != len(others):
        raise ConversionError(_apart(f"{len(nodes)} nodes", f"{len(others)} nodes"))


def _apart(one: str, other: str) -> str:
    return (
        f"the network's graph depends on the values of its weights: {one} became {other} with others. So its parameters can't be "
        "followed. Prune its file instead: edgekit convert --prune"
    )


def _axes(parameter: Parameter, seen: NDArray[np.bool_], left: NDArray[np.bool_]) -> Kept:
    """The indices of each axis at which anything stays, or nothing is known."""
    seen, left = seen.reshape(parameter.shape), left.reshape(parameter.shape)
    kept = []
    for axis in range(len(parameter.shape)):
        others = tuple(other for other in range(len(parameter.shape)) if other != axis)
        kept.append(np.flatnonzero(left.any(axis=others) | ~seen.any(axis=others)))
    whole = np.zeros(parameter.shape, bool)
    whole[np.ix_(*kept)] = True
    if (whole & seen != left).any():
        raise ConversionError(
            f"what stays of the parameter {parameter.name!r} {parameter.shape} is not the same in each of its rows"
        )
    return tuple(kept)
