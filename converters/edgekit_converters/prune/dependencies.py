"""`Dependencies`: what goes together when something is removed from a hub. `trace` finds it, removal and costs read it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.quant_plan import Use

Units = NDArray[np.int64]
"""The unit that each element of an axis belongs to; `STAYS` where it can't be removed."""

STAYS = -1

Stays = NDArray[np.bool_]
"""Whether each unit stays; one more element, which `STAYS` indexes, always does."""


class Role(enum.Enum):
    """What an axis of an operand is to its node."""

    MAKES = "makes"
    """The channels that the node gives: rows of weights and the bias beside them."""
    TAKES = "takes"
    """The channels that the node sums over."""
    FOLLOWS = "follows"
    """Channels pass through one by one: depthwise kernels, slopes, factors."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """An axis of a constant operand, by use: constants that several nodes share are cut for each of them."""

    node: str
    index: int
    axis: int
    units: Units
    role: Role

    @property
    def use(self) -> Use:
        return Use(self.node, self.index)


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """A number in a constant operand (or, without ``index``, an attribute) that counts elements of an axis.

    The number at ``position`` becomes the number of elements that stay among the first as many of ``units``.
    """

    node: str
    units: Units
    index: int | None = None
    position: int = 0
    attribute: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Units that are alike and of which some may be removed: channels of a layer or a residual stream, heads of an attention.

    ``makers``: nodes that make them, in order. ``width``: channels in the makers' output a unit.
    """

    name: str
    units: Units
    makers: tuple[str, ...]
    width: int


@dataclass(frozen=True, slots=True)
class Protected:
    """A layer none of whose channels can be removed, and why."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A residual branch that may go as a whole. ``unit`` stands for it, and ``units`` are all that go with it, that one included.

    ``nodes``: their names, ``layers`` those with weights. Without them the node ``adding`` reads ``mean``, for its channels on
    ``axis`` what they gave on average, as its operand ``operand``; ``stream`` is the value that goes on.
    """

    name: str
    unit: int
    units: Units
    nodes: frozenset[str]
    layers: tuple[str, ...]
    adding: str
    operand: int
    stream: str
    axis: int
    mean: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Dependencies:
    """``axes``: units of the axes of values, by value name and axis."""

    unit_count: int
    cuts: tuple[Cut, ...]
    counts: tuple[Count, ...]
    axes: Mapping[str, Mapping[int, Units]]
    spaces: tuple[Space, ...]
    protected: tuple[Protected, ...]
    blocks: tuple[Block, ...] = ()

    def none_removed(self) -> Stays:
        """Whether each unit stays, when all do; one more element stands for what always stays."""
        return np.ones(self.unit_count + 1, bool)

    def without(self, removed: Sequence[int] | NDArray[np.int64]) -> Stays:
        """Whether each unit stays when ``removed`` go; `STAYS` indexes the last element, which does."""
        stays = self.none_removed()
        stays[np.asarray(removed, np.int64)] = False
        assert stays[STAYS]
        return stays

    def gone(self, stays: Stays) -> frozenset[str]:
        """The nodes of the blocks that don't stay."""
        return frozenset().union(*(block.nodes for block in self.blocks if not stays[block.unit]))

    def blocks_of(self, node: str) -> tuple[Units, ...]:
        """An axis of one element for each block that the node is in: nothing of the node stays without it."""
        return tuple(np.array([block.unit]) for block in self.blocks if node in block.nodes)

    def cuts_of(self, use: Use) -> list[Cut]:
        return [cut for cut in self.cuts if cut.use == use]


def share(units: Units, stays: Stays) -> float:
    """The part of an axis that stays."""
    return float(stays[units].mean()) if len(units) else 1.0


Array = NDArray[Any]
