"""Reading and editing a graph: what the passes share, so that each of them holds nothing but its own rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.names import UniqueNames


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """The array of an initializer; None for anything computed or fed."""
    if value is None or value.const_value is None or value.is_graph_input() or value.producer() is not None:
        return None
    return value.const_value.numpy()


def scalar(value: ir.Value | None) -> float | None:
    """The number that a constant of one element holds."""
    if value is None or value.const_value is None or value.const_value.size != 1:
        return None
    array = constant(value)
    return None if array is None or array.dtype.kind not in "fiub" else float(array.reshape(-1)[0])


def integers(value: ir.Value | None) -> tuple[int, ...] | None:
    """The elements of a constant of integers, at most 1024 of them."""
    if value is None or value.const_value is None or value.const_value.size > _LARGEST_INDEX_TENSOR:
        return None
    array = constant(value)
    return None if array is None or array.dtype.kind not in "iu" else tuple(int(item) for item in array.reshape(-1))


def producer(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """The default-domain node of one of ``op_types`` that makes ``value``."""
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type in op_types and node.domain == "" else None


def nodes_of(model: ir.Model, *op_types: str) -> list[ir.Node]:
    """Nodes of the main graph with one of ``op_types``, in order; a list, so that the graph may be edited meanwhile."""
    return [node for node in model.graph if node.op_type in op_types and node.domain == ""]


def consumers(value: ir.Value) -> list[ir.Node]:
    """Nodes that read ``value``, each once."""
    return list(dict.fromkeys(use.node for use in value.uses()))


def sole_consumer(value: ir.Value) -> ir.Node | None:
    """The only node that reads ``value``; None when several do or when it is a model output."""
    found = consumers(value)
    return found[0] if len(found) == 1 and not value.is_graph_output() else None


def static_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """The shape when all of it is numbers."""
    if value is None or value.shape is None:
        return None
    dims = tuple(dim for dim in value.shape if isinstance(dim, int))
    return dims if len(dims) == len(value.shape) else None


def dims(value: ir.Value | None) -> tuple[int | str | None, ...] | None:
    """The shape as numbers, names of symbolic dimensions and None for unknown ones; None when the rank is unknown."""
    if value is None or value.shape is None:
        return None
    return tuple(
        dim if isinstance(dim, int) else (None if dim.value is None else str(dim.value)) for dim in value.shape
    )


def same_shape(one: ir.Value, other: ir.Value) -> bool:
    """True when both shapes are known and equal, symbol by symbol."""
    first, second = dims(one), dims(other)
    return first is not None and first == second and None not in first


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """The plain value of an attribute; lists are tuples."""
    found = node.attributes.get(name)
    if found is None:
        return default
    value = found.value
    return tuple(value) if isinstance(value, (list, tuple)) else value


def all_values(model: ir.Model) -> Iterator[ir.Value]:
    """Every value of the model, those of subgraphs included."""
    for graph in model.graphs():
        yield from graph.inputs
        yield from graph.initializers.values()
        for node in graph:
            yield from node.outputs


class Editor:
    """Adds constants and nodes under unique names, and puts one value in the place of another."""

    def __init__(self, model: ir.Model) -> None:
        self.graph = model.graph
        nodes = ir.traversal.RecursiveGraphIterator(model.graph)
        self._names = UniqueNames(named.name for named in (*all_values(model), *nodes))

    def constant(self, array: NDArray[Any], hint: str = "constant") -> ir.Value:
        """A new initializer."""
        tensor = ir.Tensor(np.ascontiguousarray(array).reshape(array.shape), name=self.unique(hint))
        value = ir.Value(
            name=tensor.name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor
        )
        self.graph.register_initializer(value)
        return value

    def floats(self, numbers: float | Sequence[float], hint: str = "constant") -> ir.Value:
        return self.constant(np.asarray(numbers, np.float32), hint)

    def index(self, numbers: int | Sequence[int], hint: str = "constant") -> ir.Value:
        """A new initializer of int64."""
        return self.constant(np.asarray(numbers, np.int64), hint)

    def node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        before: ir.Node,
        like: ir.Value | None = None,
        outputs: int = 1,
        hint: str = "",
        **attributes: Any,
    ) -> ir.Value:
        """The first output of a new node, put before ``before``; its dtype and shape are those of ``like``."""
        name = self.unique(hint or f"{before.name or before.op_type}/{op_type}")
        node = ir.node(op_type, list(inputs), attributes, num_outputs=outputs, name=name)
        for position, value in enumerate(node.outputs):
            value.name = self.unique(f"{name}:{position}" if position else f"{name}_out")
        first: ir.Value = node.outputs[0]
        if like is not None:
            first.type, first.shape = like.type, like.shape
        graph = before.graph
        assert graph is not None
        graph.insert_before(before, node)
        return first

    def replace(self, old: ir.Value, new: ir.Value) -> None:
        """Let all readers of ``old`` read ``new``; a model output keeps its name, if need be behind an Identity."""
        node = old.producer()
        assert node is not None
        graph = node.graph
        assert graph is not None
        if old.is_graph_output():
            if _is_bound(new, graph):
                new = self.node("Identity", [new], before=node, like=old)
            name, old.name = old.name, self.unique(f"{old.name}_replaced")
            new.name = name
            new.shape = old.shape if new.shape is None else new.shape  # inference may find less than was declared
            for position, value in enumerate(graph.outputs):
                if value is old:
                    graph.outputs[position] = new
        old.replace_all_uses_with(new)

    def replace_node(self, node: ir.Node, new: ir.Value) -> None:
        """Put ``new`` in the place of the node's only used output; the node is removed and its name passed on."""
        self.replace(node.outputs[0], new)
        graph = node.graph
        assert graph is not None
        graph.remove(node, safe=True)
        maker = new.producer()
        if maker is not None and node.name:
            maker.name = node.name

    def unique(self, hint: str) -> str:
        return self._names.give(hint)


def _is_bound(value: ir.Value, graph: ir.Graph) -> bool:
    """A value whose name is given from outside, and so can't take the name of an output."""
    made_here = value.producer() is not None and value.graph is graph
    return not made_here or value.is_graph_output()


_LARGEST_INDEX_TENSOR = 1024
