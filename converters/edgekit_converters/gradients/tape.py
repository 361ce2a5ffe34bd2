"""`Tape`: a hub's graph while the nodes that carry gradients back are appended to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike

from edgekit_converters.hub.build import infer_node
from edgekit_converters.hub.edit import all_values, constant, dims
from edgekit_converters.names import UniqueNames


class Tape:
    """``needed``: values whose gradients are wanted, or lead to one that is."""

    def __init__(self, model: ir.Model, needed: Collection[ir.Value]) -> None:
        self._graph = model.graph
        self._names = UniqueNames(named.name for named in (*all_values(model), *model.graph))
        self._needed = needed
        self._gradients: dict[ir.Value, ir.Value] = {}

    def needs(self, value: ir.Value | None) -> bool:
        """Whether a rule should give the gradient of this operand."""
        return value is not None and value in self._needed

    def gradient(self, value: ir.Value) -> ir.Value | None:
        """What has been given so far, all of it once every reader of the value was followed back."""
        return self._gradients.get(value)

    def of_result(self, node: ir.Node) -> ir.Value:
        """The gradient of the node's first output, by which a rule begins."""
        found = self._gradients.get(node.outputs[0])
        return self.zeros_like(node.outputs[0]) if found is None else found

    def give(self, value: ir.Value | None, gradient: ir.Value) -> None:
        """What one reader of the value passes back; of several the sum counts."""
        if value is None or value not in self._needed:
            return
        before = self._gradients.get(value)
        total = gradient if before is None else self.op("Add", before, gradient)
        total.shape = value.shape
        self._gradients[value] = total

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """The first output of a new node."""
        return self.ops(op_type, *inputs, outputs=1, **attributes)[0]

    def ops(self, op_type: str, *inputs: ir.Value | None, outputs: int, **attributes: Any) -> Sequence[ir.Value]:
        """All outputs of a new node."""
        name = self._names.give(f"gradient/{op_type}")
        node = ir.node(op_type, list(inputs), attributes, num_outputs=outputs, name=name)
        for position, value in enumerate(node.outputs):
            value.name = self._names.give(f"{name}:{position}")
        self._graph.append(node)
        infer_node(node)
        return node.outputs

    def constant(self, array: ArrayLike) -> ir.Value:
        """A new initializer. Python floats become float32."""
        data = np.asarray(array)
        if data.dtype == np.float64:
            data = data.astype(np.float32)
        tensor = ir.Tensor(np.ascontiguousarray(data).reshape(data.shape), name=self._names.give("gradient/constant"))
        value = ir.Value(
            name=tensor.name, shape=ir.Shape(data.shape), type=ir.TensorType(tensor.dtype), const_value=tensor
        )
        self._graph.register_initializer(value)
        return value

    def index(self, numbers: Sequence[int]) -> ir.Value:
        """A new initializer of int64."""
        return self.constant(np.asarray(numbers, np.int64))

    def input_like(self, value: ir.Value, name: str) -> ir.Value:
        """A new input of the graph, with the type and shape of ``value``."""
        made = ir.Value(name=self._names.give(name), shape=value.shape, type=value.type)
        self._graph.inputs.append(made)
        return made

    def start(self, value: ir.Value, gradient: ir.Value) -> None:
        """Where following back begins."""
        self._gradients[value] = gradient

    def padded(self, value: ir.Value, pads: Sequence[int], fill: float = 0.0) -> ir.Value:
        """Spatial axes (all but the first two) with more elements before, then after them."""
        rank = len(pads) // 2
        if not any(pads):
            return value
        amounts = [0, 0, *pads[:rank], 0, 0, *pads[rank:]]
        return self.op("Pad", value, self.index(amounts), self.constant(np.float32(fill)))

    def cropped(self, value: ir.Value, pads: Sequence[int]) -> ir.Value:
        """Spatial axes with fewer elements: `padded` backwards."""
        rank = len(pads) // 2
        if not any(pads):
            return value
        ends = [-pad if pad else _END for pad in pads[rank:]]
        axes = range(2, rank + 2)
        return self.op("Slice", value, self.index(pads[:rank]), self.index(ends), self.index(axes))

    def zeros_like(self, value: ir.Value) -> ir.Value:
        """Zeros of the value's shape."""
        return self.op("Mul", value, self.constant(np.float32(0)))

    def masked(self, condition: ir.Value, gradient: ir.Value) -> ir.Value:
        """The gradient where the condition holds, else 0."""
        return self.op("Where", condition, gradient, self.constant(np.float32(0)))

    def summed_to(self, gradient: ir.Value, value: ir.Value) -> ir.Value:
        """The gradient of an operand that was broadcast: the sum over all places where one element stood."""
        found, wanted = dims(gradient) or (), dims(value) or ()
        added = len(found) - len(wanted)
        repeated = [
            axis + added for axis, dim in enumerate(wanted) if dim == 1 and found[axis + added] != 1
        ]  # fmt: skip
        axes = [*range(added), *repeated]
        if not axes:
            return gradient
        total = self.op("ReduceSum", gradient, self.index(axes), keepdims=1)
        return total if not added else self.op("Squeeze", total, self.index(range(added)))

    def reshaped_like(self, gradient: ir.Value, value: ir.Value) -> ir.Value:
        """The same numbers in the shape of ``value``, whatever its batch."""
        return self.op("Reshape", gradient, self.op("Shape", value), allowzero=0)


_END = 2**31 - 1


def is_computed(value: ir.Value | None) -> bool:
    """Whether an operand is neither absent nor a constant."""
    return value is not None and constant(value) is None
