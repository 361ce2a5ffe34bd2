"""The TFLite model in memory: tensors and operators as plain data, before they become a flatbuffer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.params import QuantParams

Shape = tuple[int, ...]
OptionValue = int | float | bool | Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class SparseBlocks:
    """Where the blocks of a matrix (rows, columns) are that its data holds, ``size`` columns each: those of row n, from
    ``segments[n]`` to ``segments[n + 1]``, stand at the block columns ``indices``."""

    size: int
    segments: NDArray[np.int32]
    indices: NDArray[np.int32]


@dataclass(slots=True, eq=False)
class FlatTensor:
    """A tensor as the file holds it: physical shape, element type, encoding and, for a constant, its data.

    Two tensors are equal only when they are the same object. ``name`` may be changed until the model is serialized. A
    ``variable`` keeps its numbers from one run of the model to the next.
    """

    name: str
    dtype: np.dtype[Any]
    shape: Shape
    params: QuantParams | None = None
    data: NDArray[Any] | None = None
    variable: bool = False
    sparse: SparseBlocks | None = None
    """Given: ``data`` holds these blocks alone."""

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_int8(self) -> bool:
        return self.dtype == np.int8

    @property
    def is_int16(self) -> bool:
        return self.dtype == np.int16

    @property
    def is_float(self) -> bool:
        return self.dtype == np.float32

    @property
    def is_per_channel(self) -> bool:
        return self.params is not None and self.params.axis is not None


@dataclass(frozen=True, slots=True)
class BuiltinOptions:
    """Options of an operator: the schema's table name ("Conv2DOptions") and its fields as the schema spells them."""

    table: str
    fields: Mapping[str, OptionValue] = field(default_factory=dict)

    def flag(self, name: str, default: bool = False) -> bool:
        return bool(self.fields.get(name, default))

    def number(self, name: str, default: int = 0) -> int:
        found = self.fields.get(name, default)
        assert isinstance(found, int)
        return found


def options(table: str, **fields: OptionValue) -> BuiltinOptions:
    """`BuiltinOptions` in the notation of a call: ``options("SoftmaxOptions", beta=1.0)``."""
    return BuiltinOptions(table, fields)


def arithmetic_options(builtin: str, output: FlatTensor, activation: int = 0) -> BuiltinOptions:
    """Options of ADD, SUB or MUL. The schema takes the scales of 16-bit sums for powers of two unless it is told otherwise."""
    table = f"{builtin.capitalize()}Options"
    if output.dtype == np.int16 and builtin != "MUL":
        return options(table, fusedActivationFunction=activation, potScaleInt16=False)
    return options(table, fusedActivationFunction=activation)


@dataclass(frozen=True, slots=True, eq=False)
class FlatOp:
    """One operator; ``builtin`` is the schema's name ("CONV_2D"). None among the inputs is an omitted optional one.

    ``subgraphs``: what a control operator runs, by the field of its options that names it ("bodySubgraphIndex").
    ``intermediates``: tensors that only say in which encodings the kernel computes.
    """

    builtin: str
    inputs: tuple[FlatTensor | None, ...]
    outputs: tuple[FlatTensor, ...]
    options: BuiltinOptions | None = None
    subgraphs: Mapping[str, FlatModel] = field(default_factory=dict)
    intermediates: tuple[FlatTensor, ...] = ()


def needed_ops(ops: Sequence[FlatOp], outputs: Iterable[FlatTensor]) -> tuple[FlatOp, ...]:
    """Those of ``ops`` (in order) that ``outputs`` depend on."""
    wanted, kept = set(outputs), []
    for op in reversed(ops):
        if not wanted.isdisjoint(op.outputs):
            kept.append(op)
            wanted.update(tensor for tensor in op.inputs if tensor is not None)
    return tuple(reversed(kept))


@dataclass(frozen=True, slots=True, eq=False)
class FlatModel:
    """Everything the file holds, or one subgraph. The file's own ``inputs`` and ``outputs`` are in the user's order and bear
    the user's names."""

    inputs: tuple[FlatTensor, ...]
    outputs: tuple[FlatTensor, ...]
    ops: tuple[FlatOp, ...]

    def subgraphs(self) -> Iterator[FlatModel]:
        """This graph and, behind it, those that its control operators run."""
        yield self
        for op in self.ops:
            for inner in op.subgraphs.values():
                yield from inner.subgraphs()
