"""`trace`: which channels, units and heads of a hub must go together.

Each element of an axis that a layer makes gets a label; operators pass labels on, unite them where elements meet, and protect
what can't be followed. What is then united is one unit: removed as a whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.prune.dependencies import STAYS, Count, Cut, Dependencies, Protected, Space, Units
from edgekit_converters.prune.follow import RULES
from edgekit_converters.prune.labels import LabelArray, Labels, unfollowed
from edgekit_converters.quantize.scheme import name_of, value_name
from edgekit_converters.quantize.sequential_group import captured


def trace(hub: Hub) -> Dependencies:
    """The units of the hub. Inputs and outputs of the model keep all their elements."""
    labels = Labels()
    for node in hub.model.graph:
        _follow(labels, node)
    for value in hub.model.graph.outputs:
        labels.freeze_all(value, f"it is read by the model's output {value_name(value)}")
    return _dependencies(labels)


def _follow(labels: Labels, node: ir.Node) -> None:
    rule = RULES.get(node.op_type) if node.domain == "" else None
    inner = list(captured(node))
    if rule is None or inner:
        why = _QUANTIZED if "Quantize" in node.op_type or "QLinear" in node.op_type else ""
        for value in (*node.inputs, *inner):
            labels.freeze_all(value, unfollowed(node, why))
        return
    rule(labels, node)


_QUANTIZED = "has quantized it already; prune the float network that this one was made from"


def _dependencies(labels: Labels) -> Dependencies:
    numbered = _Numbering(labels)
    axes = {
        value_name(value): {axis: numbered.units(found) for axis, found in own.items()}
        for value, own in labels.axes.items()
        if value.name
    }
    return Dependencies(
        unit_count=numbered.count,
        cuts=tuple(Cut(name_of(c.node), c.index, c.axis, numbered.units(c.labels), c.role) for c in labels.cuts),
        counts=tuple(
            Count(name_of(c.node), numbered.units(c.labels), c.index, c.position, c.attribute) for c in labels.counts
        ),
        axes=axes,
        spaces=_spaces([(name_of(node), numbered.units(made)) for node, made in labels.made], numbered.count),
        protected=tuple(_protected(labels, numbered)),
    )


class _Numbering:
    """Units in the order in which their labels were given. Copies that no layer makes (an initial state) come last: they can be
    fewer where what they meet is."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        frozen = {labels.root(label) for label in labels.reasons}
        made = [labels.root(int(label)) for _, each in labels.made for label in each]
        copies = [labels.root(label) for label in sorted(labels.repeated)]
        free = [root for root in dict.fromkeys([*made, *copies]) if root not in frozen]
        self._units = {root: unit for unit, root in enumerate(free)}
        self.count = len(free)

    def units(self, labels: LabelArray) -> Units:
        found = [self._units.get(self._labels.root(int(label)), STAYS) for label in labels]
        return np.array(found, np.int64)


def _spaces(made: Sequence[tuple[str, Units]], unit_count: int) -> tuple[Space, ...]:
    """Units that any layer makes side by side, and so are alike."""
    space_of = np.full(unit_count, -1)
    members: list[list[tuple[str, Units]]] = []
    for name, units in made:
        known = np.unique(space_of[units[units != STAYS]])
        joined = [(name, units)]
        for old in known[known >= 0]:
            joined, members[old] = members[old] + joined, []
        members.append(joined)
        for _, each in joined:
            space_of[each[each != STAYS]] = len(members) - 1
    spaces = []
    for number, joined in enumerate(members):
        own = np.flatnonzero(space_of == number)
        if len(own):
            name, units = joined[0]
            width = round(np.count_nonzero(units != STAYS) / max(1, len(np.unique(units[units != STAYS]))))
            spaces.append(Space(name, own, tuple(maker for maker, _ in joined), width))
    return tuple(spaces)


def _protected(labels: Labels, numbered: _Numbering) -> list[Protected]:
    """Layers with no unit at all, and why."""
    whys = {labels.root(label): reason for label, reason in labels.reasons.items()}
    found = []
    for node, made in labels.made:
        if (numbered.units(made) == STAYS).all():
            found.append(Protected(name_of(node), whys[labels.root(int(made[0]))] if len(made) else ""))
    return found
