"""`Value`: a Keras tensor and its ONNX variants, one a layout, each made once and only when a layer asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import onnx_ir as ir

from edgekit_converters.hub.build import GraphBuilder

Layout: TypeAlias = tuple[int, ...]
"""Axis i of the variant is axis ``layout[i]`` of the tensor as Keras sees it."""


def native(rank: int) -> Layout:
    return tuple(range(rank))


def channels_first(rank: int) -> Layout:
    """The last axis moved behind the batch, as ONNX's convolutions want it."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 2 else native(rank)


class Value:
    """A tensor of the Keras model. ``made`` are the variants that exist; ``makers`` make others without a Transpose."""

    def __init__(
        self,
        graph: GraphBuilder,
        made: Mapping[Layout, ir.Value],
        makers: Mapping[Layout, Callable[[], ir.Value]] | None = None,
        mask: Value | None = None,
    ) -> None:
        self._graph = graph
        self._made = dict(made)
        self._makers = dict(makers or {})
        self._mask = mask

    @property
    def mask(self) -> Value | None:
        """Which steps count, (N, T) bool, where a layer before hid some of them."""
        return self._mask

    def masked(self, mask: Value | None) -> Value:
        """The same tensor with another mask; what is made of one is there for both."""
        if mask is self._mask:
            return self
        other = Value(self._graph, {}, mask=mask)
        other._made, other._makers = self._made, self._makers
        return other

    @property
    def rank(self) -> int:
        return len(next(iter({**self._made, **self._makers})))

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts to be had without a Transpose."""
        return (*self._made, *(layout for layout in self._makers if layout not in self._made))

    @property
    def preferred(self) -> Layout:
        """Where to continue when any layout will do: channels first if it exists, since a convolution made it."""
        wanted = channels_first(self.rank)
        return wanted if wanted in self._made else self.layouts[0]

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Sizes in Keras's order of axes; None where unknown, as the batch always is."""
        layout = self.layouts[0]
        sizes = dict(zip(layout, self.variant(layout).shape or (), strict=True))
        return tuple(size if isinstance(size := sizes[axis], int) else None for axis in range(self.rank))

    @property
    def batch(self) -> int | ir.SymbolicDim:
        """The size of the first axis."""
        layout = self.layouts[0]
        shape = self.variant(layout).shape
        assert shape is not None
        return shape[layout.index(0)]

    @property
    def dtype(self) -> str:
        """numpy's name of the element type."""
        found = self.variant(self.layouts[0]).dtype
        assert found is not None
        return str(found.numpy())

    @property
    def plain(self) -> ir.Value:
        """The variant with Keras's own order of axes."""
        return self.variant(native(self.rank))

    def variant(self, layout: Layout) -> ir.Value:
        """The tensor with its axes in this order."""
        if layout not in self._made:
            if layout in self._makers:
                self._made[layout] = self._makers[layout]()
            else:
                self._made[layout] = self._transposed(layout)
        return self._made[layout]

    def unordered(self, layout: Layout) -> ir.Value:
        """A variant whose elements lie in memory as those of ``layout`` do: axes of size 1 may stand anywhere."""
        wanted = self._long_axes(layout)
        for candidate in self.layouts:
            if self._long_axes(candidate) == wanted:
                return self.variant(candidate)
        return self.variant(layout)

    def permuted(self, order: Layout) -> Value:
        """The tensor whose axis i is this one's axis ``order[i]``; no node is made."""
        place = {axis: position for position, axis in enumerate(order)}

        def renamed(layout: Layout) -> Layout:
            return tuple(place[axis] for axis in layout)

        made = {renamed(layout): value for layout, value in self._made.items()}
        return Value(self._graph, made, {renamed(layout): maker for layout, maker in self._makers.items()})

    def _transposed(self, layout: Layout) -> ir.Value:
        source = self.layouts[0]
        value = self.variant(source)
        order = [source.index(axis) for axis in layout]
        return self._graph.op("Transpose", value, name=f"{value.name}_transposed", perm=order)

    def _long_axes(self, layout: Layout) -> Layout:
        shape = self.shape
        return tuple(axis for axis in layout if shape[axis] != 1)
