"""Which TFLite op a delegate took over and why not the others, read from the interpreter's own list of ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.protocols import PlacedOp, Placement
from edgekit_runtimes.xnnpack_ops import why_not_xnnpack

OpDetails = Mapping[str, Any]
"""One op as the interpreter lists it: op_name, inputs and outputs (tensor indices, -1 for one that is left out)."""

DELEGATE = "DELEGATE"


@dataclass(frozen=True, slots=True)
class Share:
    """How many partitions of the file an external delegate took."""

    name: str
    partitions: int


def place(
    ops: Sequence[OpDetails], dtypes: Mapping[int, str], shares: Sequence[Share] = (), *, xnnpack: bool = True
) -> Placement:
    """Place every op of the file: inside a partition of a delegate, or on the interpreter's built-in kernels.

    ``dtypes``: numpy's names by tensor index, "sparse float32" for a filter that is stored without its zeros.
    ``shares``: the external delegates in the order in which they chose; the partitions after theirs are XNNPACK's, which takes
    of what is left (``xnnpack``: whether it was asked).

    The interpreter lists the file's ops first and then one DELEGATE op a partition, which says only what goes in and
    comes out: the ops between the two are what it took.
    """
    partitions = partitions_of(ops)
    originals = [op for op in ops if op["op_name"] != DELEGATE]
    producers = {int(tensor): position for position, op in enumerate(originals) for tensor in op["outputs"]}
    owners = [share.name for share in shares for _ in range(share.partitions)]
    owners += ["XNNPACK"] * (len(partitions) - len(owners))
    taken = {
        position: owner
        for partition, owner in zip(partitions, owners, strict=False)
        for position in _between(partition, originals, producers)
    }
    asked = [share.name for share in shares] + ["XNNPACK"] * xnnpack
    placed = tuple(
        _placed(position, op, dtypes, taken.get(position, "builtin"), asked) for position, op in enumerate(originals)
    )
    return Placement(placed, len(partitions), tuple(_told(share, placed) for share in shares))


def partitions_of(ops: Sequence[OpDetails]) -> list[OpDetails]:
    """What stands for the partitions that delegates took, in the order in which they took them."""
    return [op for op in ops if op["op_name"] == DELEGATE]


def _told(share: Share, placed: Sequence[PlacedOp]) -> str:
    count = sum(op.device == share.name for op in placed)
    if not count:
        return f"{share.name} took none of the {len(placed)} ops: it runs nothing of this file"
    return f"{share.name} took {count} of {len(placed)} ops, in {share.partitions} partitions"


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


def _placed(position: int, op: OpDetails, dtypes: Mapping[int, str], device: str, asked: Sequence[str]) -> PlacedOp:
    operands, results = ([dtypes.get(int(tensor), "none") for tensor in op[side]] for side in ("inputs", "outputs"))
    name = str(op["op_name"])
    integer, kernel = _kernel(name, operands, results)
    return PlacedOp(f"{name}:{position}", name, device, kernel, integer, _why(name, kernel, integer, device, asked))


def _why(op: str, kernel: str, integer: bool, device: str, asked: Sequence[str]) -> str:
    """Why the delegates before ``device`` did not take the op. They give no reasons themselves; XNNPACK's are known."""
    passed = asked[: asked.index(device)] if device in asked else asked
    reasons = [f"{name} did not choose it" for name in passed if name != "XNNPACK"]
    if "XNNPACK" in passed:
        reasons.append(why_not_xnnpack(op, kernel, integer=integer))
    return "; ".join(reasons)


def _kernel(op: str, operands: Sequence[str], results: Sequence[str]) -> tuple[bool, str]:
    """Whether the kernel computes on integers, and the types it reads and writes."""
    data, result = (operands or ["none"])[_DATA.get(op, 0)], (results or ["none"])[0]
    if op in _WEIGHTED and data.startswith("float") and "int8" in operands:
        return True, f"{data} x int8 -> {result}"
    integer = data in _INTEGERS and result in _INTEGERS
    sparse = [f" x {operand}" for operand in operands if operand.startswith("sparse ")]
    return integer, f"{data}{''.join(sparse)} -> {result}"


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
