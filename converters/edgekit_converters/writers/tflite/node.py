"""`HubNode`: a hub node as the writer's op functions read it: attributes with defaults, constants as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.errors import ConversionError, UnsupportedOpError
from edgekit_converters.writers.tflite.flat_model import Shape


@dataclass(frozen=True, slots=True, eq=False)
class HubNode:
    """One node of the hub. ``index`` arguments count inputs; an omitted optional input is absent."""

    node: ir.Node

    @property
    def name(self) -> str:
        assert self.node.name is not None
        return self.node.name

    @property
    def op(self) -> str:
        return self.node.op_type

    @property
    def input_count(self) -> int:
        return len(self.node.inputs)

    @property
    def output_count(self) -> int:
        return len(self.node.outputs)

    def has(self, index: int) -> bool:
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def value(self, index: int) -> ir.Value:
        found = self.node.inputs[index]
        assert found is not None, f"{self.name} has no input {index}"
        return found

    def output(self, index: int = 0) -> ir.Value:
        return self.node.outputs[index]

    def is_used(self, index: int) -> bool:
        """Whether anything reads the output ``index``."""
        value = self.node.outputs[index]
        return bool(value.name) and (value.is_graph_output() or bool(value.consumers()))

    def shape(self, index: int = 0) -> Shape:
        return static_shape(self.value(index))

    def output_shape(self, index: int = 0) -> Shape:
        return static_shape(self.output(index))

    def rank(self, index: int = 0) -> int:
        return len(self.shape(index))

    def dtype(self, index: int = 0) -> np.dtype[Any]:
        """The hub's element type of an input."""
        return hub_dtype(self.value(index))

    def constant(self, index: int) -> NDArray[Any] | None:
        """The array of a constant input; None when the input is absent or computed."""
        if not self.has(index):
            return None
        return constant_of(self.value(index))

    def required_constant(self, index: int, what: str) -> NDArray[Any]:
        """The array of an input that must be constant. Raises UnsupportedOpError."""
        found = self.constant(index)
        if found is None:
            raise self.unsupported(f"its {what} is computed at run time; expected a constant")
        return found

    def integer(self, name: str, default: int) -> int:
        attribute = self.node.attributes.get(name)
        return default if attribute is None else attribute.as_int()

    def integers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        attribute = self.node.attributes.get(name)
        return tuple(default if attribute is None else attribute.as_ints())

    def number(self, name: str, default: float) -> float:
        attribute = self.node.attributes.get(name)
        return default if attribute is None else attribute.as_float()

    def text(self, name: str, default: str) -> str:
        attribute = self.node.attributes.get(name)
        return default if attribute is None else attribute.as_string()

    def unsupported(self, reason: str) -> UnsupportedOpError:
        """The error to raise when this node can't be written."""
        return UnsupportedOpError(self.op, self.name, "TFLite", reason)


def value_name(value: ir.Value) -> str:
    assert value.name is not None
    return value.name


def constant_of(value: ir.Value) -> NDArray[Any] | None:
    return None if value.const_value is None else value.const_value.numpy()


def hub_dtype(value: ir.Value) -> np.dtype[Any]:
    assert value.dtype is not None, f"{value.name} has no dtype"
    return np.dtype(value.dtype.numpy())


def static_shape(value: ir.Value) -> Shape:
    """The shape in numbers. Raises ConversionError where a dimension is symbolic."""
    shape = value.shape
    if shape is None or not all(isinstance(size, int) for size in shape):
        raise ConversionError(
            f"value {value.name!r} has the shape {'unknown' if shape is None else list(shape)}, and TFLite files are "
            "written with fixed shapes. Give the model's input shapes (--input-shape)."
        )
    return tuple(int(size) for size in shape)  # type: ignore[arg-type]  # all are ints, checked above
