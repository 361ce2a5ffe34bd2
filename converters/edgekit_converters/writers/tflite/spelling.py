"""`Spelling`: what takes the place of a node that TFLite has no kernels for, in operators that it has; and who does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray

from edgekit_converters.hub.build import infer_node
from edgekit_converters.hub.edit import Editor, constant
from edgekit_converters.writers.tflite.flat_model import Shape
from edgekit_converters.writers.tflite.node import HubNode, static_shape


class Spelling:
    """Puts operators in front of ``node``; type and shape of every value are known at once."""

    def __init__(self, node: ir.Node, edit: Editor) -> None:
        self.node = HubNode(node)
        self._edit = edit

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """The first output of a new operator."""
        return self.ops(op_type, 1, *inputs, **attributes)[0]

    def ops(self, op_type: str, outputs: int, *inputs: ir.Value | None, **attributes: Any) -> tuple[ir.Value, ...]:
        """All outputs of a new operator."""
        first = self._edit.node(op_type, list(inputs), before=self.node.node, outputs=outputs, **attributes)
        made = first.producer()
        assert made is not None
        infer_node(made)
        return tuple(made.outputs)

    def constant(self, array: ArrayLike, like: ir.Value | None = None) -> ir.Value:
        """A constant: of the type of ``like``, else Python's floats are float32 and its ints int64."""
        data = np.asarray(array)
        if like is not None:
            assert like.dtype is not None
            data = data.astype(like.dtype.numpy())
        elif not isinstance(array, (np.ndarray, np.generic)) and data.dtype == np.float64:
            data = data.astype(np.float32)
        return self._edit.constant(data)

    def shape(self, value: ir.Value) -> Shape:
        return static_shape(value)

    def array(self, value: ir.Value) -> NDArray[Any] | None:
        """The numbers of a constant."""
        return constant(value)

    def cast(self, value: ir.Value, dtype: type[np.generic] | np.dtype[Any]) -> ir.Value:
        wanted = ir.DataType.from_numpy(np.dtype(dtype))
        return value if value.dtype == wanted else self.op("Cast", value, to=wanted.value)

    def reshape(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        return self.op("Reshape", value, self.constant(np.array(shape, np.int64)), allowzero=1)

    def transpose(self, value: ir.Value, order: Sequence[int]) -> ir.Value:
        return self.op("Transpose", value, perm=list(order))

    def slice(self, value: ir.Value, axis: int, start: int, end: int) -> ir.Value:
        bounds = (self.constant(np.array([number], np.int64)) for number in (start, end, axis))
        return self.op("Slice", value, *bounds)


Spell = Callable[[Spelling], "tuple[ir.Value, ...] | ir.Value | None"]
"""What takes the place of the node's outputs; None leaves the node as it is."""

_SPELLINGS: dict[str, Spell] = {}


def spells(*ops: str) -> Callable[[Spell], Spell]:
    """Enter a function as the one that spells ``ops``."""

    def enter(function: Spell) -> Spell:
        for op in ops:
            assert op not in _SPELLINGS, f"{op} is entered twice"
            _SPELLINGS[op] = function
        return function

    return enter


def spelling_of(op: str) -> Spell | None:
    return _SPELLINGS.get(op)


def spelled_ops() -> tuple[str, ...]:
    """Every op with a spelling, in alphabetical order."""
    return tuple(sorted(_SPELLINGS))
