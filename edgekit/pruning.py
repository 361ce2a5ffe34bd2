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
    """``most``: the part of the units that may go from layers whose name matches ``scope`` (shell wildcards); 0 keeps all."""

    scope: str
    most: float

    def __post_init__(self) -> None:
        if not isinstance(self.most, (int, float)) or not 0 <= self.most <= 1:
            raise RecipeError(f"prune rule {self.scope!r}: most is {self.most!r}; expected a part between 0 and 1")


@dataclass(frozen=True, slots=True)
class Pruning:
    """One goal of three. ``macs``: the part of the multiply-accumulates that goes; ``latency_ms`` and ``size_bytes``: what the
    slowest and the largest of the written files may take.

    ``force``: go on where the samples show that the network breaks down.
    """

    macs: float | None = None
    latency_ms: float | None = None
    size_bytes: int | None = None
    importance: Importance = Importance.SECOND_ORDER
    channels: Channels = Channels.FAST
    force: bool = False
    rules: tuple[PruneRule, ...] = ()

    def __post_init__(self) -> None:
        goals = [name for name in ("macs", "latency_ms", "size_bytes") if getattr(self, name) is not None]
        if len(goals) != 1:
            found = " and ".join(goals) or "none"
            raise RecipeError(f"pruning has {found} for its goal; expected one of macs, latency-ms and size-bytes")
        if self.macs is not None and not 0 < self.macs < 1:
            raise RecipeError(f"prune: macs is {self.macs!r}; expected a part between 0 and 1, as in 0.3")
        for name in ("latency_ms", "size_bytes"):
            goal = getattr(self, name)
            if goal is not None and not goal > 0:
                raise RecipeError(f"prune: {name} is {goal!r}; expected more than 0")

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.macs is not None:
            return f"{self.macs:.0%} fewer multiply-accumulates"
        return f"{self.latency_ms:g} ms a call" if self.latency_ms is not None else f"{self.size_bytes:,} bytes a file"

    @property
    def option(self) -> str:
        """The goal as the command line takes it."""
        if self.macs is not None:
            return f"{100 * self.macs:g}%"
        return f"latency={self.latency_ms:g}ms" if self.latency_ms is not None else f"size={self.size_bytes}"

    def most_of(self, layer: str) -> float:
        """The part of a layer's units that may go; the last matching rule wins."""
        most = 1.0
        for rule in self.rules:
            if fnmatch.fnmatchcase(layer, rule.scope):
                most = rule.most
        return most
