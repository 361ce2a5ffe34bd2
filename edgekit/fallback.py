"""What a delegate left to the CPU: how much of the arithmetic, which ops, why, and what to change so that it takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit import registry
from edgekit.errors import MissingPackageError
from edgekit.fallback_advice import advise
from edgekit.figures import MOST_NAMES, Fallback, Fallbacks
from edgekit.protocols import CPU_DEVICES, Delegate, PlacedOp, Placement, Progress


def fallbacks(
    placement: Placement, asked: Sequence[Delegate], macs: Mapping[str, int] | None, *, gated: bool = False
) -> Fallbacks | None:
    """What the delegates that were ``asked`` for left, or, where none was, those that took something.

    ``macs``: multiply-accumulates by node of the file, None where unknown. None where there is no delegate to speak of, unless
    ``gated``: then everything was left.
    """
    devices = tuple(dict.fromkeys(op.device for op in placement.ops))
    named = tuple(each.name for each in asked if not any(same_delegate(cpu, each.name) for cpu in CPU_DEVICES))
    wanted = named or tuple(device for device in devices if device not in CPU_DEVICES)
    if not wanted and not gated:
        return None
    taken = {device for device in devices if any(same_delegate(device, name) for name in wanted)}
    left = [op for op in placement.ops if op.device not in taken]
    shares = None if macs is None else macs_by_op(placement.ops, macs)
    return Fallbacks(
        delegates=wanted,
        ops=len(placement.ops),
        ops_left=len(left),
        macs=None if macs is None else sum(macs.values()),
        macs_left=None if macs is None or shares is None else _macs_left(placement.ops, left, shares, macs),
        kinds=_kinds(left, wanted, shares),
    )


def _macs_left(
    ops: Sequence[PlacedOp], left: Sequence[PlacedOp], shares: Mapping[str, int], macs: Mapping[str, int]
) -> int:
    """All but what is found under the names of ops that were taken; nothing where no op was left."""
    if not left:
        return 0
    taken = {op.name for op in ops} - {op.name for op in left}
    return sum(macs.values()) - sum(shares[name] for name in taken)


def node_macs(path: Path, progress: Progress) -> dict[str, int] | None:
    """Multiply-accumulates of the file's nodes by name; None where the packages that read files are not installed.

    Raises ArtifactError.
    """
    try:
        return macs_by_node(registry.stage("inspect")(path, progress).nodes)
    except MissingPackageError:
        return None


def macs_by_node(nodes: Sequence[Any]) -> dict[str, int]:
    """Of the nodes that an inspection lists; those of bodies (of loops, of branches) get names that no op has."""
    found: dict[str, int] = {}
    for position, node in enumerate(nodes):
        found[node.name if node.name not in found else f"{node.name} in a body, {position}"] = node.macs or 0
    return found


def same_delegate(device: str, name: str) -> bool:
    """Whether a placement's device is what a user calls ``name``: "OpenVINOExecutionProvider" is "openvino"."""
    return _bare(device) == _bare(name)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]|executionprovider$", "", name.lower())


def macs_by_op(ops: Sequence[PlacedOp], macs: Mapping[str, int]) -> dict[str, int]:
    """Multiply-accumulates by op of the runtime's own graph, whose names are those of the file's nodes with something added."""
    found: dict[str, int] = {op.name: macs.get(op.name, 0) for op in ops}
    free = [op for op in ops if op.name not in macs]
    unplaced = [name for name, count in macs.items() if count and name not in found]
    for name in sorted(unplaced, key=len, reverse=True):
        fitting = [op for op in free if name in op.name and not found[op.name]]
        if fitting:
            best = min(fitting, key=lambda op: (not op.name.startswith(name), not _multiplies(op), len(op.name)))
            found[best.name] = macs[name]
    return found


def _multiplies(op: PlacedOp) -> bool:
    return re.search("conv|gemm|matmul|lstm|gru|rnn|attention|fully", op.op, re.IGNORECASE) is not None


def _kinds(
    left: Sequence[PlacedOp], delegates: Sequence[str], shares: Mapping[str, int] | None
) -> tuple[Fallback, ...]:
    groups: dict[tuple[str, str, str, str, str], list[PlacedOp]] = {}
    for op in left:
        advice = advise(op, delegates)
        groups.setdefault((op.op, op.kernel, op.device, op.why or advice.why, advice.suggestion), []).append(op)
    kinds = [
        Fallback(
            op=op,
            kernel=kernel,
            device=device,
            count=len(members),
            macs=None if shares is None else sum(shares[name] for name in {member.name for member in members}),
            why=why,
            suggestion=suggestion,
            names=tuple(member.name for member in members[:MOST_NAMES]),
        )
        for (op, kernel, device, why, suggestion), members in groups.items()
    ]
    return tuple(sorted(kinds, key=lambda kind: (-(kind.macs or 0), -kind.count)))
