"""What an inspection finds, the same for both formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.artifact import TensorSpec


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a tensor is quantized. ``axis`` is None for one scale for the whole tensor."""

    dtype: str
    axis: int | None
    scales: int
    smallest_scale: float
    largest_scale: float
    smallest_zero_point: int
    largest_zero_point: int

    @property
    def symmetric(self) -> bool:
        """Whether 0 lies in the middle of the integers' range."""
        middle = 128 if self.dtype == "uint8" else 0
        return self.smallest_zero_point == self.largest_zero_point == middle

    @property
    def summary(self) -> str:
        """In words: "int8 per channel, symmetric"."""
        granularity = "per tensor" if self.axis is None else "per channel"
        return f"{self.dtype} {granularity}, {'symmetric' if self.symmetric else 'asymmetric'}"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the graph; ``constant`` ones are stored in the file."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    constant: bool
    scheme: Scheme | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One op. ``macs``: multiply-accumulates of one sample; None where the file's shapes do not tell."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    macs: int | None


@dataclass(frozen=True, slots=True)
class OpCount:
    """All nodes of one op together."""

    op: str
    count: int
    macs: int


@dataclass(frozen=True, slots=True)
class Contents:
    """A file's graph and its figures.

    ``parameters``: elements of the constants that hold numbers the network learned, so no shapes, indices, scales, zero
    points, and no single numbers. ``weight_bytes``: what those take in the file. ``macs``: multiply-accumulates of
    convolutions, matrix products and recurrent layers for a batch of 1; other open dimensions count as 1, as a note says.
    """

    file_format: str
    size_bytes: int
    producer: str
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    nodes: tuple[Node, ...]
    tensors: tuple[Tensor, ...]
    parameters: int
    weight_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        return sum(node.macs or 0 for node in self.nodes)

    @property
    def ops(self) -> tuple[OpCount, ...]:
        """The most frequent first."""
        counts = Counter(node.op for node in self.nodes)
        macs: Counter[str] = Counter()
        for node in self.nodes:
            macs[node.op] += node.macs or 0
        return tuple(OpCount(op, count, macs[op]) for op, count in sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def unknown_macs_note(nodes: Sequence[Node]) -> tuple[str, ...]:
    """A note that names the ops whose multiply-accumulates could not be counted."""
    ops = sorted({node.op for node in nodes if node.macs is None})
    return (f"multiply-accumulates not counted, since shapes are unknown: {', '.join(ops)}",) if ops else ()
