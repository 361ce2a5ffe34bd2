"""`Packing`: recurrence over the steps that a mask leaves, exact for every mask.

A hidden step changes no state, so a sequence with hidden steps ends like the sequence of the others. The steps that count are
gathered to the front, in their order; what comes behind them is not looked at; each step's output is that at its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.value import Value, native


@dataclass(frozen=True, slots=True)
class Packing:
    """The steps of ``mask``, (N, T) bool, that count, from the first or, backwards, from the last."""

    call: LayerCall
    mask: Value
    backwards: bool

    def packed(self, sequence: Value) -> Value:
        """(N, T, features): the steps that count in the order in which they are gone over, others behind them."""
        return self._gathered(sequence, self._order(), "pack")

    def unpacked(self, outputs: Value, zero_output: bool) -> Value:
        """Every step's output in the order of time: a hidden step has that of the step before it, or zeros."""
        counted = self._counted()
        place = self._as_index(counted, "place")
        shown = self.mask.plain if zero_output else self._node("Greater", counted, self._number(0, "none"), "seen")
        shown = self._node("Unsqueeze", shown, self._number([2], "last_axis"), "shown")
        return self._where(shown, self._gathered(outputs, place, "unpack"), None, "hold")

    def last(self, outputs: Value, initial: Value | None) -> Value:
        """(N, units): the output behind the last step that counts; the initial state where none does."""
        end = self._node("Unsqueeze", self._count(), self._number([1], "new_axis"), "end")
        found = self._gathered(outputs, self._index(end, "end"), "last")
        return self.settled(found, initial)

    def settled(self, state: Value, initial: Value | None) -> Value:
        """A state behind the last step, or the initial one where no step counts."""
        some = self._node("Greater", self._count(), self._number(0, "none"), "some")
        return self._where(
            self._node("Unsqueeze", some, self._number([1], "new_axis"), "any"), state, initial, "settle"
        )

    def shown(self, last: Value) -> Value:
        """The output of the last step, zeros where it is hidden."""
        end = 0 if self.backwards else -1
        mask = self._node("Gather", self.mask.plain, self._number([end], "last_step"), "last_mask", axis=1)
        return self._where(mask, last, None, "show")

    def lengths(self) -> ir.Value:
        """(N,) int32: how many steps count."""
        return self.call.node("Cast", self._count(), part="lengths", to=ir.DataType.INT32.value)

    def _order(self) -> ir.Value:
        """(N, T, 1): the step that comes first, second, ...: hidden ones get a key that sorts them behind all others."""
        return self._once("order", self._sorted)

    def _counted(self) -> ir.Value:
        """(N, T): how many steps that count were gone over when this one is."""
        return self._once("counted", self._summed)

    def _count(self) -> ir.Value:
        """(N,): how many steps count."""
        return self._once("count", self._total)

    def _once(self, what: str, make: Callable[[], ir.Value]) -> ir.Value:
        """Layers behind one mask share what is computed from it."""
        return self.call.once(f"{what} of {self.mask.plain.name} {'backwards' if self.backwards else ''}", make)

    def _sorted(self) -> ir.Value:
        length = self._length()
        steps = np.arange(length, dtype=np.int64)
        keys = steps - length if self.backwards else -steps
        shown, behind = self._number(keys[None], "keys"), self._number(-steps[None] - 2 * length, "keys_hidden")
        key = self.call.node("Where", self.mask.plain, shown, behind, part="key")
        count = self._number([length], "length")
        _, order = self.call.graph.ops("TopK", key, count, outputs=2, name=f"{self.call.name}/order", axis=1, largest=1)
        return self._node("Unsqueeze", order, self._number([2], "last_axis"), "order_index")

    def _summed(self) -> ir.Value:
        axis = self._number(1, "time_axis")
        return self.call.node("CumSum", self._ones(), axis, part="counted", reverse=int(self.backwards))

    def _total(self) -> ir.Value:
        return self.call.node("ReduceSum", self._ones(), self._number([1], "new_axis"), part="count", keepdims=0)

    def _ones(self) -> ir.Value:
        return self.call.node("Cast", self.mask.plain, part="ones", to=ir.DataType.INT64.value)

    def _as_index(self, counted: ir.Value, part: str) -> ir.Value:
        index = self._index(counted, part)
        return self._node("Unsqueeze", index, self._number([2], "last_axis"), f"{part}_index")

    def _index(self, counted: ir.Value, part: str) -> ir.Value:
        before = self._node("Sub", counted, self._number(1, "one"), f"{part}_before")
        return self._node("Max", before, self._number(0, "none"), f"{part}_first")

    def _gathered(self, sequence: Value, index: ir.Value, part: str) -> Value:
        return self.call.value(self.call.node("GatherND", sequence.plain, index, part=part, batch_dims=1))

    def _where(self, shown: ir.Value, tensor: Value, other: Value | None, part: str) -> Value:
        zero = self.call.constant(np.array(0, np.float32), "zero") if other is None else other.plain
        return self.call.value(self.call.node("Where", shown, tensor.plain, zero, part=part), native(tensor.rank))

    def _node(self, op_type: str, left: ir.Value, right: ir.Value, part: str, **attributes: int) -> ir.Value:
        return self.call.node(op_type, left, right, part=part, **attributes)

    def _number(
        self, number: int | Sequence[int] | np.ndarray[tuple[int, ...], np.dtype[np.int64]], role: str
    ) -> ir.Value:
        return self.call.constant(np.asarray(number, np.int64), role)

    def _length(self) -> int:
        length = self.mask.shape[1]
        if self.mask.rank != 2 or length is None:
            raise self.call.unsupported(
                f"hides steps by a mask of shape {self.mask.shape}; readable is (batch, steps) of a known length, which "
                "--input-shape can give"
            )
        return length
