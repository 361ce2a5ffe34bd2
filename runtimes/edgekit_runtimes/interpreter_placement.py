"""Which TFLite op a delegate took over, read from the interpreter's own list of ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.protocols import PlacedOp, Placement

OpDetails = Mapping[str, Any]
"""One op as the interpreter lists it: op_name, inputs and outputs (tensor indices, -1 for one that is left out)."""

DELEGATE = "DELEGATE"


def place(ops: Sequence[OpDetails], dtypes: Mapping[int, str], delegate: str = "XNNPACK") -> Placement:
    """Place every op of the file: inside a partition of ``delegate``, or on the interpreter's built-in kernels.

    ``dtypes``: numpy's names by tensor index.

    The interpreter lists the file's ops first and then one DELEGATE op a partition, which says only what goes in and
    comes out: the ops between the two are what it took.
    """
    partitions = [op for op in ops if op["op_name"] == DELEGATE]
    originals = [op for op in ops if op["op_name"] != DELEGATE]
    producers = {int(tensor): position for position, op in enumerate(originals) for tensor in op["outputs"]}
    taken = {position for partition in partitions for position in _between(partition, originals, producers)}
    placed = tuple(
        _placed(position, op, dtypes, delegate if position in taken else "builtin")
        for position, op in enumerate(originals)
    )
    return Placement(placed, partitions=len(partitions))


def _between(partition: OpDetails, ops: Sequence[OpDetails], producers: Mapping[int, int]) -> set[int]:
    """Positions of the ops reached backwards from the partition's outputs without passing one of its inputs."""
    entries = {int(tensor) for tensor in partition["inputs"]}
    pending = [int(tensor) for tensor in partition["outputs"]]
    found: set[int] = set()
    while pending:
        position = producers.get(pending.pop())
        if position is not None and position not in found:
            found.add(position)
            pending += [int(t) for t in ops[position]["inputs"] if int(t) not in entries]
    return found


def _placed(position: int, op: OpDetails, dtypes: Mapping[int, str], device: str) -> PlacedOp:
    operands, results = ([dtypes.get(int(tensor), "none") for tensor in op[side]] for side in ("inputs", "outputs"))
    name = str(op["op_name"])
    integer, kernel = _kernel(name, operands, results)
    return PlacedOp(f"{name}:{position}", name, device, kernel, integer)


def _kernel(op: str, operands: Sequence[str], results: Sequence[str]) -> tuple[bool, str]:
    """Whether the kernel computes on integers, and the types it reads and writes."""
    data, result = (operands or ["none"])[_DATA.get(op, 0)], (results or ["none"])[0]
    if op in _WEIGHTED and data.startswith("float") and "int8" in operands:
        return True, f"{data} x int8 -> {result}"
    return data in _INTEGERS and result in _INTEGERS, f"{data} -> {result}"


_INTEGERS = ("int8", "uint8", "int16", "int32", "int64", "bool")
_DATA = {"SPLIT": 1, "SELECT_V2": 1}
"""Index of the operand that carries the data, where it is not the first."""
_WEIGHTED = (
    "FULLY_CONNECTED",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
    "BATCH_MATMUL",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)
"""Ops that quantize float inputs per call when their weights are int8 (hybrid kernels)."""
