"""A function of TensorFlow's: what is frozen, exported and asked for reference. Runs in a child process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import UntrustedSourceError

if TYPE_CHECKING:
    import tensorflow as tf

_PYTHON_OPS = frozenset({"PyFunc", "EagerPyFunc", "PyFuncStateless"})
_FILE_OPS = frozenset({"ReadFile", "WriteFile", "WholeFileReaderV2", "MatchingFiles", "LoadLibrary"})


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """An input or output: the user's name for it, the tensor's in the frozen graph, its type; None is a free dimension."""

    name: str
    tensor: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """``call`` runs the original; ``frozen`` is the same as one graph without variables."""

    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]
    call: Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]
    frozen: tf.compat.v1.GraphDef
    notes: tuple[str, ...] = ()


def endpoint(name: str, tensor: Any) -> Endpoint:
    """Of a symbolic tensor. An unknown rank is taken as a scalar's; the comparison later finds out."""
    shape = tuple(tensor.shape) if tensor.shape.rank is not None else ()
    return Endpoint(name, tensor.name, tensor.dtype.name, shape)


def check_operators(graph: tf.compat.v1.GraphDef, where: str) -> None:
    """Raises UntrustedSourceError for operators that run Python or touch files."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    for node in nodes:
        if node.op in _PYTHON_OPS:
            raise UntrustedSourceError(
                f"{where}: node {node.name!r} ({node.op}) calls a Python function, which lives in the program that saved the "
                "model, not in the file. Export the model without tf.py_function."
            )
        if node.op in _FILE_OPS:
            raise UntrustedSourceError(
                f"{where}: node {node.name!r} ({node.op}) reads or writes files; that is refused"
            )
