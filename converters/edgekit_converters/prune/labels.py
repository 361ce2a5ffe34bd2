"""`Labels`: a label for each element of the axes of values, and which labels go together (union-find)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.hub.edit import constant, dims
from edgekit_converters.prune.dependencies import Role
from edgekit_converters.quantize.scheme import name_of

LabelArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCut:
    node: ir.Node
    index: int
    axis: int
    labels: LabelArray
    role: Role


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCount:
    node: ir.Node
    labels: LabelArray
    index: int | None
    position: int
    attribute: str


class Labels:
    """What is known while a graph is walked. An axis without labels keeps all of its elements."""

    def __init__(self) -> None:
        self.axes: dict[ir.Value, dict[int, LabelArray]] = {}
        self.cuts: list[LabelledCut] = []
        self.counts: list[LabelledCount] = []
        self._counted: dict[tuple[ir.Node, int | None, int, str], LabelArray] = {}
        self.made: list[tuple[ir.Node, LabelArray]] = []
        self.reasons: dict[int, str] = {}
        self.repeated: set[int] = set()
        self._parents: list[int] = []

    def fresh(self, count: int) -> LabelArray:
        """New labels, one an element."""
        first = len(self._parents)
        self._parents += range(first, first + count)
        return np.arange(first, first + count, dtype=np.int64)

    def repeat(self, count: int) -> LabelArray:
        """New labels of elements that are copies of one another."""
        made = self.fresh(count)
        self.repeated |= set(made.tolist())
        return made

    def all_copies(self, found: LabelArray | None) -> bool:
        return found is not None and self.repeated.issuperset(found.tolist())

    def of(self, value: ir.Value | None, axis: int) -> LabelArray | None:
        return None if value is None else self.axes.get(value, {}).get(axis)

    def labelled(self, value: ir.Value | None) -> dict[int, LabelArray]:
        """Labels of a value by axis."""
        return {} if value is None else self.axes.get(value, {})

    def give(self, value: ir.Value, axis: int, labels: LabelArray | None) -> None:
        if labels is not None:
            self.axes.setdefault(value, {})[axis] = labels

    def make(self, node: ir.Node, axis: int, labels: LabelArray) -> None:
        """The labels of channels that the node makes anew."""
        self.give(node.outputs[0], axis, labels)
        self.made.append((node, labels))

    def root(self, label: int) -> int:
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    def unite(self, one: LabelArray, other: LabelArray) -> None:
        """Elements at the same place go together."""
        if one is other:
            return
        for first, second in np.unique(np.stack([one.ravel(), other.ravel()]), axis=1).T:
            a, b = self.root(int(first)), self.root(int(second))
            self._parents[max(a, b)] = min(a, b)

    def freeze(self, labels: LabelArray | None, reason: str) -> None:
        """These elements stay."""
        if labels is not None:
            self.reasons |= {int(label): reason for label in labels.ravel() if int(label) not in self.reasons}

    def freeze_all(self, value: ir.Value | None, reason: str) -> None:
        for labels in self.labelled(value).values():
            self.freeze(labels, reason)

    def cut(self, node: ir.Node, index: int, axis: int, labels: LabelArray | None, role: Role) -> None:
        """The axis of a constant operand has these labels; None: it stays whole."""
        if labels is not None:
            self.cuts.append(LabelledCut(node, index, axis, labels, role))

    def count(
        self, node: ir.Node, labels: LabelArray, index: int | None, position: int = 0, attribute: str = ""
    ) -> None:
        """What is counted at one place for several nodes goes together."""
        known = self._counted.setdefault((node, index, position, attribute), labels)
        if known is labels:
            self.counts.append(LabelledCount(node, labels, index, position, attribute))
        elif len(known) == len(labels):
            self.unite(known, labels)
        else:
            for other in (known, labels):
                self.freeze(other, unfollowed(node, "counts different channels at one place"))

    def operands(self, node: ir.Node) -> Iterator[tuple[int, ir.Value]]:
        """The computed inputs of a node with their positions."""
        for index, value in enumerate(node.inputs):
            if value is not None and constant(value) is None:
                yield index, value


def unfollowed(node: ir.Node, why: str = "") -> str:
    """The reason to protect what a node reads."""
    return f"{name_of(node)} ({node.op_type}) {why or 'is not followed'}"


def rank(value: ir.Value | None) -> int:
    found = dims(value)
    return 0 if found is None else len(found)
