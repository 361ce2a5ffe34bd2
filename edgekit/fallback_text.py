"""`Fallbacks` in sentences: what a delegate took, what it left, why, and what to change."""

from __future__ import annotations

from edgekit.figures import Fallback, Fallbacks
from edgekit.quantities import share_text

MOST_KINDS = 6


def fallback_lines(left: Fallbacks) -> list[str]:
    """For the terminal: nothing where nothing was left; else one line the fact, one a kind of ops, one a piece of advice."""
    if not left.ops_left:
        return []
    lines = [f"  {fact(left)}"]
    shown = left.kinds[:MOST_KINDS]
    for suggestion in dict.fromkeys(kind.suggestion for kind in shown):
        lines += [f"    {kind_text(left, kind)}" for kind in shown if kind.suggestion == suggestion]
        lines.append(f"      what to do: {suggestion}")
    if len(left.kinds) > MOST_KINDS:
        lines.append(f"    {len(left.kinds) - MOST_KINDS} more kinds; --json lists all")
    return lines


def fact(left: Fallbacks) -> str:
    ops = f"{left.ops_left} of {left.ops} ops"
    by = f"by {', '.join(left.delegates)}" if left.delegates else "to the CPU, since no delegate was asked for"
    if left.macs is None:
        return (
            f"left {by}: {ops}; their multiply-accumulates can't be counted without the packages of edgekit-ml[convert]"
        )
    if left.macs == 0:
        return f"left {by}: {ops}; the file has no multiply-accumulates"
    return f"left {by}: {ops}, {share_text(left.share_left)} of the multiply-accumulates"


def kind_text(left: Fallbacks, kind: Fallback) -> str:
    """How many, where they ran instead, how much of the arithmetic that is, and why."""
    share = f", {share_text(kind.macs / left.macs)} of the multiply-accumulates" if kind.macs and left.macs else ""
    why = f": {kind.why}" if kind.why else ""
    return f"{kind.count} {kind.op} ({kind.kernel}) on {kind.device}{share}{why}"
