"""A `Slowdown` in sentences: what is slow, what costs it, what is faster."""

from __future__ import annotations

from edgekit.quantities import decibel_text, duration_text, size_text
from edgekit.slowdown import Alternative, OpCost, Slowdown


def slowdown_lines(slow: Slowdown) -> list[str]:
    """For the terminal: one line the fact, one an op, one an alternative, one the advice."""
    lines = [fact(slow)]
    lines += [f"  {cost.op}: {cost_text(cost)}" for cost in slow.ops]
    if slow.float_ops:
        lines.append(f"  {between(slow)}")
    lines.append("  other precisions: " + ", ".join(f"{a.precision} {alternative_text(a)}" for a in slow.alternatives))
    lines.append(f"  {advice(slow)}")
    return lines


def fact(slow: Slowdown) -> str:
    return (
        f"{slow.entry} is slower here than its float file: {slow.ratio:.2f} times its time "
        f"({slow.ratio_low:.2f} to {slow.ratio_high:.2f}). " + ("What costs it:" if slow.ops else _NO_OP)
    )


_NO_OP = "No kind of op in it takes longer than in the float file: opening and closing a run does."


def cost_text(cost: OpCost) -> str:
    """What the ops of a kind take here and in the float file, and which kernels they are."""
    names = "" if cost.names == (cost.op,) else f" as {', '.join(cost.names)}"
    kernels = f"{names} ({', '.join(cost.kernels)})"
    outside = f"; {cost.outside} left to other kernels than the float file's" if cost.outside else ""
    if cost.ms is None:
        return f"{_ops(cost.count)} here, {cost.float_count} in the float file{kernels}{outside}"
    before = f"{duration_text(cost.float_ms)} in {_ops(cost.float_count)}" if cost.float_count else "none"
    return f"{duration_text(cost.ms)} in {_ops(cost.count)}{kernels}, in the float file {before}{outside}"


def between(slow: Slowdown) -> str:
    """Which float ops stand between integer ones."""
    counts = ", ".join(f"{count} {op}" for op, count in slow.float_ops.items())
    return f"computed in float, with conversions before and behind: {counts}"


def alternative_text(alternative: Alternative) -> str:
    return (
        f"{duration_text(alternative.p50_ms)} ({alternative.ratio:.2f} times float, "
        f"{size_text(alternative.size_bytes)}, {decibel_text(alternative.sqnr_db)})"
    )


def advice(slow: Slowdown) -> str:
    if not slow.suggestion:
        return "no other precision was measurably faster than this file"
    return f"faster, as measured: --precision {slow.suggestion}. To get it: {slow.command}"


def _ops(count: int) -> str:
    return f"{count} op{'' if count == 1 else 's'}"
