"""`Slowdown`: a file that is slower than its float file, the ops that make it so, and the precisions that are faster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgekit.protocols import CPU_DEVICES, TimedOp

MOST_OPS = 5

LEAST_SHARE = 0.03
"""Part of the time lost below which a kind of ops is not worth a line."""

POOR_SQNR_DB = 12.0
"""Below this the error has more than a quarter of the outputs' amplitude."""


@dataclass(frozen=True, slots=True)
class OpCost:
    """All ops of one kind in the slow file, beside those in the float file. Milliseconds a run; None where not measured.

    ``names``: the runtime's own names of these ops. ``outside``: how many of them the delegate left to other kernels although
    it took all of them in the float file, or those are new.
    """

    op: str
    names: tuple[str, ...]
    kernels: tuple[str, ...]
    count: int
    float_count: int
    ms: float | None
    float_ms: float | None
    outside: int = 0

    @property
    def extra_ms(self) -> float:
        return (self.ms or 0.0) - (self.float_ms or 0.0)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A file of another precision, timed in the same run. ``ratio``: its time over the float file's, between ``ratio_low`` and
    ``ratio_high``. ``sqnr_db``: against the float model."""

    precision: str
    p50_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    size_bytes: int
    sqnr_db: float


@dataclass(frozen=True, slots=True)
class Slowdown:
    """A file slower than its float file. ``ops``: the dearest first. ``float_ops``: counts of the ops that compute in float
    between integer ones, so that numbers are converted before and behind them. ``suggestion``: the precision that is faster
    than the file, and ``command`` makes it; empty where none of ``alternatives`` is."""

    entry: str
    format: str
    ratio: float
    ratio_low: float
    ratio_high: float
    p50_ms: float
    ops: tuple[OpCost, ...] = ()
    float_ops: Mapping[str, int] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()
    suggestion: str = ""
    command: str = ""


def op_costs(own: Sequence[TimedOp], baseline: Sequence[TimedOp], *, measured: bool) -> tuple[OpCost, ...]:
    """The kinds of ops that take longer in a file than in its float file, or, where times were not ``measured``, those that it
    has more of or that run outside the delegate; at most `MOST_OPS`."""
    costs = [_cost(kind, own, baseline, measured) for kind in dict.fromkeys(op_kind(timed.op.op) for timed in own)]
    if measured:
        lost = sum(max(0.0, cost.extra_ms) for cost in costs)
        dearer = [cost for cost in costs if cost.extra_ms > LEAST_SHARE * lost]
        return tuple(sorted(dearer, key=lambda cost: -cost.extra_ms)[:MOST_OPS])
    more = [cost for cost in costs if cost.outside or cost.count > cost.float_count]
    return tuple(sorted(more, key=lambda cost: (-cost.outside, cost.float_count - cost.count))[:MOST_OPS])


def float_islands(own: Sequence[TimedOp]) -> dict[str, int]:
    """How many ops of each kind compute in float in a file that computes on integers elsewhere, conversions aside."""
    if not any(timed.op.integer for timed in own):
        return {}
    kinds = [timed.op.op for timed in own if not timed.op.integer and timed.op.op not in _CONVERTING]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def op_kind(op: str) -> str:
    """The name under which an op's float and integer kernels are counted together: Conv for QLinearConv and FusedConv."""
    if op in _CONVERSIONS:
        return op
    bare = re.sub(r"^(QLinear|DynamicQuantize|Nhwc|Fused|Q(?=[A-Z][a-z]))+", "", op)
    bare = re.sub(r"Integer(ToFloat)?$", "", bare)
    return {"Gemm": _PRODUCT, "MatMul": _PRODUCT}.get(bare, bare)


_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
_CONVERTING = _CONVERSIONS | {"QUANTIZE", "DEQUANTIZE", "Cast", "CAST", "Transpose", "TRANSPOSE", "RESHAPE", "Reshape"}
_PRODUCT = "MatMul and Gemm"


AS_FAST = 1.03
"""Files within this of the fastest one's time count as equally fast."""


def suggest(slow: Slowdown) -> Alternative | None:
    """The precision to take instead: the smallest file among the fastest ones, if it is faster than ``slow`` beyond the
    uncertainty of both and still computes what the model does."""
    faster = [a for a in slow.alternatives if a.ratio_high < slow.ratio_low and a.sqnr_db >= POOR_SQNR_DB]
    if not faster:
        return None
    best = min(faster, key=lambda alternative: alternative.ratio)
    as_fast = [alternative for alternative in faster if alternative.ratio <= AS_FAST * best.ratio]
    return min(as_fast, key=lambda alternative: alternative.size_bytes)


def _cost(kind: str, own: Sequence[TimedOp], baseline: Sequence[TimedOp], measured: bool) -> OpCost:
    here = [timed for timed in own if op_kind(timed.op.op) == kind]
    there = [timed for timed in baseline if op_kind(timed.op.op) == kind]
    delegates = {timed.op.device for timed in baseline} - CPU_DEVICES
    lost = bool(delegates) and all(timed.op.device in delegates for timed in there)
    return OpCost(
        op=kind,
        names=_once(timed.op.op for timed in here),
        kernels=_once(f"{timed.op.kernel} on {timed.op.device}" for timed in here),
        count=len(here),
        float_count=len(there),
        ms=sum(timed.ms for timed in here) if measured else None,
        float_ms=sum(timed.ms for timed in there) if measured else None,
        outside=sum(timed.op.device not in delegates for timed in here) if lost else 0,
    )


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
