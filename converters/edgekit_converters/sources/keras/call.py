"""`LayerCall`: what a rule sees of one call of a layer, and the few verbs with which it emits ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.errors import UnsupportedLayerError
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.sources.keras.archive import Provenance
from edgekit_converters.sources.keras.graph import Layer
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.value import Layout, Value, channels_first, native

Operand: TypeAlias = "Value | tuple[Operand, ...] | object"
"""An argument as a rule sees it: a tensor, a constant, or a tuple that holds tensors."""

Apply: TypeAlias = "Callable[[Layer, tuple[Operand, ...], Mapping[str, Operand]], list[Value]]"


@dataclass(frozen=True, slots=True)
class Shared:
    """What all calls of a model share while it is read."""

    constants: dict[str, ir.Value] = field(default_factory=dict)
    """The initializers made so far, by name."""
    carried: dict[str, ir.Value] = field(default_factory=dict)
    """States that the model gives back for its next call, by output name."""
    derived: dict[str, ir.Value] = field(default_factory=dict)
    """What was computed once for several calls, by a name for it."""


@dataclass(frozen=True, slots=True)
class LayerCall:
    """One call of one layer. ``weights`` are its own arrays by role, float32."""

    graph: GraphBuilder
    layer: Layer
    weights: Mapping[str, NDArray[Any]]
    arguments: tuple[Operand, ...]
    keywords: Mapping[str, Operand]
    provenance: Provenance
    apply: Apply
    """Reads another layer, for wrappers and activations that are layers."""
    shared: Shared

    @property
    def settings(self) -> Settings:
        return self.layer.settings

    @property
    def name(self) -> str:
        return self.layer.path

    @property
    def inputs(self) -> tuple[Value, ...]:
        """All tensors among the arguments."""
        return tuple(_tensors((*self.arguments, *self.keywords.values())))

    @property
    def only(self) -> Value:
        """The one input of a layer that takes one."""
        found = tuple(_tensors(self.arguments)) or self.inputs
        if len(found) != 1:
            raise ValueError(f"it is called with {len(found)} tensors; expected 1")
        return found[0]

    @property
    def mask(self) -> Value | None:
        """Which steps of the first tensor count: as the call says, or as the tensor carries it."""
        given = self.keywords.get("mask")
        return given if isinstance(given, Value) else self.inputs[0].mask

    @property
    def channels_last(self) -> bool:
        return self.settings.text("data_format", "channels_last") == "channels_last"

    def spatial_layout(self, rank: int) -> Layout:
        """The layout with the channels behind the batch."""
        return channels_first(rank) if self.channels_last else native(rank)

    def weight(self, role: str, rank: int | None = None) -> NDArray[Any]:
        """The array of that role. Raises ValueError when the file has none or one of another rank."""
        if role not in self.weights:
            raise ValueError(f"its weight {role!r} is missing")
        found = self.weights[role]
        if rank is not None and found.ndim != rank:
            raise ValueError(f"its weight {role!r} has shape {found.shape}; expected {rank} axes")
        return found

    def unsupported(self, what: str) -> UnsupportedLayerError:
        """The error for a layer that is known but not in this form."""
        return UnsupportedLayerError(f"layer {self.name!r} ({self.layer.kind}) {what}")

    def constant(self, data: NDArray[Any] | np.generic, role: str) -> ir.Value:
        """An initializer named after the layer. The second call of a shared layer gets the first one's."""
        name = f"{self.name}/{role}"
        found = self.shared.constants.get(name)
        if found is None or not _holds(found, data):
            found = self.graph.constant(data, name)
            self.shared.constants[name] = found
        return found

    def once(self, name: str, make: Callable[[], ir.Value]) -> ir.Value:
        """What ``make`` computes, at the first call for that name."""
        if name not in self.shared.derived:
            self.shared.derived[name] = make()
        return self.shared.derived[name]

    def node(self, op_type: str, *inputs: ir.Value | None, part: str = "", **attributes: Any) -> ir.Value:
        """A node named after the layer; ``part`` names it when it is not the layer's main one."""
        return self.graph.op(op_type, *inputs, name=f"{self.name}/{part}" if part else self.name, **attributes)

    def value(self, variant: ir.Value, layout: Layout | None = None) -> Value:
        """A tensor that exists in one layout, by default as Keras sees it."""
        layout = layout or native(len(variant.shape or ()))
        if self.layer.is_layer and layout:
            self._keep_batch(variant, layout.index(0))
        return Value(self.graph, {layout: variant})

    def _keep_batch(self, variant: ir.Value, axis: int) -> None:
        """No layer changes the batch: name it again where shape inference lost it."""
        assert variant.shape is not None
        batches = (value.batch for value in self.inputs)
        batch = next((size for size in batches if not isinstance(size, int) and size.value is not None), None)
        if batch is not None and variant.shape[axis] == ir.SymbolicDim(None):
            variant.shape = ir.Shape([*variant.shape[:axis], batch, *variant.shape[axis + 1 :]])

    def unary(self, op_type: str, tensor: Value, part: str = "", **attributes: Any) -> Value:
        """An op that treats every element alike, in whichever layout there is."""
        layout = tensor.preferred
        return self.value(self.node(op_type, tensor.variant(layout), part=part, **attributes), layout)

    def binary(self, op_type: str, left: Value | ArrayOrNumber, right: Value | ArrayOrNumber, part: str = "") -> Value:
        """A broadcasting op on tensors and constants, in the layout that needs the fewest transposes."""
        tensors = [item for item in (left, right) if isinstance(item, Value)]
        rank = max(item.rank if isinstance(item, Value) else np.ndim(item) for item in (left, right))
        sides = [self.expanded(item, rank) if isinstance(item, Value) else item for item in (left, right)]
        tensors = [item for item in sides if isinstance(item, Value)]
        layout = common_layout(tensors)
        dtype = tensors[0].dtype
        variants = [
            item.variant(layout) if isinstance(item, Value) else self._broadcast(item, layout, dtype, part or op_type)
            for item in sides
        ]
        return self.value(self.node(op_type, *variants, part=part), layout)

    def expanded(self, tensor: Value, rank: int, axis: int = 0) -> Value:
        """The tensor with axes of size 1 inserted at ``axis`` until it has ``rank`` axes."""
        if tensor.rank >= rank:
            return tensor
        axes = np.arange(axis, axis + rank - tensor.rank, dtype=np.int64)
        return self.value(self.node("Unsqueeze", tensor.plain, self.constant(axes, "axes"), part="expand"))

    def _broadcast(self, item: ArrayOrNumber, layout: Layout, dtype: str, part: str) -> ir.Value:
        data = np.asarray(item, dtype)
        if data.ndim:
            data = data.reshape((1,) * (len(layout) - data.ndim) + data.shape).transpose(layout)
        return self.constant(data, f"{part.lower()}_constant")


ArrayOrNumber: TypeAlias = NDArray[Any] | float


def common_layout(tensors: Sequence[Value]) -> Layout:
    """The layout that most of the tensors have; channels first where two are equal. All have the same rank."""
    best = channels_first(tensors[0].rank)
    candidates = dict.fromkeys(layout for tensor in tensors for layout in tensor.layouts)

    def have(layout: Layout) -> tuple[int, bool]:
        return sum(layout in tensor.layouts for tensor in tensors), layout == best

    return max(candidates, key=have)


def axes_removed(layout: Layout, axes: Sequence[int]) -> Layout:
    """The layout of what is left of a variant without these axes of the tensor."""
    left = [axis for axis in layout if axis not in axes]
    return tuple(sorted(left).index(axis) for axis in left)


def _holds(constant: ir.Value, data: NDArray[Any] | np.generic) -> bool:
    assert constant.const_value is not None
    held = constant.const_value.numpy()
    return held.dtype == data.dtype and held.shape == data.shape and np.array_equal(held, data)


def tensors_of(operands: Iterable[Operand]) -> list[Value]:
    """All tensors among arguments, from left to right."""
    return list(_tensors(operands))


def _tensors(operands: Iterable[Operand]) -> Iterator[Value]:
    for operand in operands:
        if isinstance(operand, Value):
            yield operand
        elif isinstance(operand, tuple):
            yield from _tensors(operand)
