"""Gates on where the ops run: a delegate that must take part, and how much may be left to the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edgekit import isolation
from edgekit.fallback import fallbacks, node_macs, same_delegate
from edgekit.figures import Fallbacks, PlacementSummary
from edgekit.protocols import Delegate, Placement, Progress
from edgekit.report import Limit


class FallbackUnit(Enum):
    """What is counted of what fell back. The value is how a limit's figures are labelled."""

    MACS = "% of multiply-accumulates"
    OPS = "ops"


@dataclass(frozen=True, slots=True)
class FallbackLimit:
    """The most that may be left to the CPU: percent of the multiply-accumulates, or a number of ops."""

    value: float
    unit: FallbackUnit


@dataclass(frozen=True, slots=True)
class PlacementGates:
    """What a placement must fulfil. ``required``: delegates that must take an op at least."""

    required: tuple[str, ...] = ()
    fallback: FallbackLimit | None = None

    def __bool__(self) -> bool:
        return bool(self.required) or self.fallback is not None

    def fallbacks(
        self, placement: Placement, asked: tuple[Delegate, ...], macs: Mapping[str, int] | None
    ) -> Fallbacks | None:
        """What was left by the delegates asked for, else by the required ones, as far as they took part, else by any that did."""
        devices = {op.device for op in placement.ops}
        present = [name for name in self.required if any(same_delegate(device, name) for device in devices)]
        wanted = asked or tuple(Delegate(name) for name in present)
        return fallbacks(placement, wanted, macs, gated=bool(self))

    def limits(self, entry: str, summary: PlacementSummary | None) -> Iterator[Limit]:
        """A verdict a gate; a placement that is not known breaks them all."""
        for name in self.required:
            devices = summary.devices if summary else {}
            count = sum(ops for device, ops in devices.items() if same_delegate(device, name))
            yield Limit(f"delegate {name}", entry, 1.0, float(count) if summary else None, "ops", at_least=True)
        if self.fallback is not None:
            found = _left(summary, self.fallback.unit)
            yield Limit("fallback", entry, self.fallback.value, found, self.fallback.unit.value)


def judged(
    placement: Placement, path: Path, asked: tuple[Delegate, ...], gates: PlacementGates, progress: Progress
) -> PlacementSummary:
    """The placement of the file at ``path`` in figures, with what was left to the CPU.

    Reads the file, for which a child process is the place: `judged_apart` starts one.
    """
    left = gates.fallbacks(placement, asked, None)
    if left is not None and (left.ops_left or gates):
        left = gates.fallbacks(placement, asked, node_macs(path, progress))
    return PlacementSummary.of(placement, left)


def judged_apart(
    placement: Placement, path: Path, asked: tuple[Delegate, ...], gates: PlacementGates, progress: Progress
) -> PlacementSummary:
    """As `judged`, the file being read in a process of its own."""
    macs = isolation.run("edgekit.fallback:node_macs", path, progress, stage="inspect").value
    return PlacementSummary.of(placement, gates.fallbacks(placement, asked, macs))


def _left(summary: PlacementSummary | None, unit: FallbackUnit) -> float | None:
    left = summary.fallbacks if summary else None
    if left is None:
        return None
    if unit is FallbackUnit.OPS:
        return float(left.ops_left)
    return None if left.share_left is None else 100.0 * left.share_left
