"""How many units of a space go at a time: what is left is a multiple that the runtimes' kernels like."""

from __future__ import annotations

from collections.abc import Sequence
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


Multiples = Sequence[tuple[int, int]]
"""(channels from which on, the multiple of channels that is kept), the widest first."""

KERNEL_MULTIPLES: Multiples = ((96, 16), (40, 8), (24, 4), (6, 2))


def widths_of(space: Space, multiples: Multiples = KERNEL_MULTIPLES) -> Widths:
    """Multiples of 16 channels where the layer is wide, of 8, 4 and 2 where it is not, unless others are given."""
    channels = len(space.units) * space.width
    multiple = next((size for least, size in multiples if channels >= least), 1)
    step = max(1, multiple // space.width)
    return Widths(step, min(step, len(space.units)))
