"""`Pruning`: what is to be removed from a network before it is quantized."""

from __future__ import annotations

import enum
import fnmatch
from dataclasses import dataclass

from edgekit.errors import RecipeError


class Importance(enum.Enum):
    """By what the units of a layer are told apart."""

    MAGNITUDE = "magnitude"
    """The norm of the weights that read a unit; the samples say nothing."""
    ACTIVATION = "activation"
    """The variance of a unit times that norm."""
    TAYLOR = "taylor"
    """By how much the outputs would change, from gradients; with labelled samples, the loss."""
    SECOND_ORDER = "second-order"
    """What the layers behind lose although the units that stay make up for it, as far as they can."""


class Channels(enum.Enum):
    """Which numbers of channels a layer may be left with."""

    FAST = "fast"
    """Whole blocks of the kernels: what goes takes its time with it."""
    ANY = "any"
    """Nearly any number, so that small networks lose less; some runtimes then take as long as before, or longer."""


@dataclass(frozen=True, slots=True)
class PruneRule:
    """For layers whose name matches ``scope`` (shell wildcards): ``most`` is the part of their units that may go, 0 keeps all;
    ``least`` is the number of units that stays.
    """

    scope: str
    most: float = 1.0
    least: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.least, int) or self.least < 0:
            raise RecipeError(f"least is {self.least!r} for {self.scope!r}; expected a number of units, as in 8")
        if not 0 <= self.most <= 1:
            raise RecipeError(f"most is {self.most!r} for {self.scope!r}; expected a part between 0 and 1, as in 0.5")


@dataclass(frozen=True, slots=True)
class Pruning:
    """One goal of four. ``macs``: the part of the multiply-accumulates that goes; ``units``: the part of every layer's units;
    ``latency_ms`` and ``size_bytes``: what the slowest and the largest of the written files may take.

    ``repair`` False: weights stay as they are, for comparison. ``force``: go on where the samples show that the network breaks
    down.
    """

    macs: float | None = None
    latency_ms: float | None = None
    size_bytes: int | None = None
    units: float | None = None
    importance: Importance = Importance.SECOND_ORDER
    repair: bool = True
    channels: Channels = Channels.FAST
    force: bool = False
    rules: tuple[PruneRule, ...] = ()

    def __post_init__(self) -> None:
        goals = [name for name in ("macs", "latency_ms", "size_bytes", "units") if getattr(self, name) is not None]
        if len(goals) != 1:
            found = " and ".join(goals).replace("_", "-") or "nothing"
            raise RecipeError(
                f"pruning has {found} for its goal; expected one of macs, units, latency-ms and size-bytes"
            )
        for name in ("macs", "units"):
            part = getattr(self, name)
            if part is not None and not 0 < part < 1:
                raise RecipeError(f"{name} is {part!r}; expected a part between 0 and 1, as in 0.3")
        for name in ("latency_ms", "size_bytes"):
            goal = getattr(self, name)
            if goal is not None and not goal > 0:
                raise RecipeError(f"{name.replace('_', '-')} is {goal!r}; expected more than 0")

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.macs is not None:
            return f"{100 * self.macs:g}% fewer multiply-accumulates"
        if self.units is not None:
            return f"{100 * self.units:g}% fewer units"
        return f"{self.latency_ms:g} ms a call" if self.latency_ms is not None else f"{self.size_bytes:,} bytes a file"

    @property
    def option(self) -> str:
        """The goal as the command line takes it."""
        if self.macs is not None:
            return f"{100 * self.macs:g}%"
        if self.units is not None:
            return f"units={100 * self.units:g}%"
        return f"latency={self.latency_ms:g}ms" if self.latency_ms is not None else f"size={self.size_bytes}"

    def most_of(self, layer: str, units: int) -> int:
        """How many of a layer's units may go; the last matching rule wins."""
        rule = PruneRule(layer)
        for each in self.rules:
            if fnmatch.fnmatchcase(layer, each.scope):
                rule = each
        return max(0, min(int(rule.most * units), units - rule.least))
