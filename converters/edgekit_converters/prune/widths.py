"""How many units of a space go at a time: what is left is a multiple that the runtimes' kernels like."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit_converters.prune.dependencies import Space

STRIDES = 12
"""Parts in which a wide space is removed."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Removals of a space: ``step`` is the unit multiple that is kept, ``least`` how many units must stay."""

    step: int
    least: int

    def next_removal(self, total: int, removed: int) -> int | None:
        """How many units are gone after the next cut; None where no more may go."""
        stride = max(1, round(total / STRIDES / self.step)) * self.step
        kept = (total - removed - 1) // self.step * self.step
        kept = max(self.least, kept - (stride - self.step))
        return total - kept if kept < total - removed else None


Multiples = tuple[tuple[int, int], ...]
"""From how many channels on what stays is a multiple of how many; the first that fits."""

DENSE: Multiples = ((80, 16), (17, 8), (6, 2))
"""What the kernels of the files' runtimes are fast with (docs/pruning.md, "Channel counts")."""

DEPTHWISE: Multiples = ((17, 16), (6, 2))
"""The same where depthwise convolutions work on the channels."""

FINE: Multiples = ((96, 16), (40, 8), (24, 4), (6, 2))
"""Finer, where a network is too small to lose whole blocks."""


def widths_of(space: Space, multiples: Multiples) -> Widths:
    """What stays of the space is a multiple of channels, in as many units."""
    channels = len(space.units) * space.width
    multiple = next((size for least, size in multiples if channels >= least), 1)
    step = max(1, multiple // space.width)
    return Widths(step, min(step, len(space.units)))
