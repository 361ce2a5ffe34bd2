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


class Blocks(enum.Enum):
    """Whether residual branches may go as a whole, beside those that rules remove."""

    AUTO = "auto"
    """Where that costs less, for what it saves, than channels and heads do."""
    NEVER = "never"
    """Channels and heads alone."""


@dataclass(frozen=True, slots=True)
class PruneRule:
    """For layers whose name matches ``scope`` (shell wildcards): ``most`` is the part of their units that may go, 0 keeps all;
    ``least`` is the number of units that stays. ``remove``: residual branches whose layers all match go as a whole, first of all.
    """

    scope: str
    most: float = 1.0
    least: int = 0
    remove: bool = False

    def __post_init__(self) -> None:
        if self.remove and (self.most != 1 or self.least != 0):
            raise RecipeError(
                f"{self.scope!r}: remove takes whole residual branches out, so that most and least say nothing. "
                "Give them in a rule of their own, for layers that stay"
            )
        if not isinstance(self.least, int) or self.least < 0:
            raise RecipeError(f"least is {self.least!r} for {self.scope!r}; expected a number of units, as in 8")
        if not 0 <= self.most <= 1:
            raise RecipeError(f"most is {self.most!r} for {self.scope!r}; expected a part between 0 and 1, as in 0.5")


@dataclass(frozen=True, slots=True)
class Pruning:
    """One goal of four, or none where rules remove blocks and nothing else is to go.

    ``macs``: the part of the multiply-accumulates that goes; ``units``: the part of every layer's units; ``latency_ms`` and
    ``size_bytes``: what the slowest and the largest of the written files may take. ``blocks``: whether residual branches may go
    as a whole. ``repair`` False: weights stay as they are, for comparison. ``force``: go on where the samples show that the
    network breaks down.
    """

    macs: float | None = None
    latency_ms: float | None = None
    size_bytes: int | None = None
    units: float | None = None
    importance: Importance = Importance.SECOND_ORDER
    repair: bool = True
    channels: Channels = Channels.FAST
    blocks: Blocks = Blocks.NEVER
    force: bool = False
    rules: tuple[PruneRule, ...] = ()

    def __post_init__(self) -> None:
        goals = [name for name in ("macs", "latency_ms", "size_bytes", "units") if getattr(self, name) is not None]
        if len(goals) > 1 or not (goals or any(rule.remove for rule in self.rules)):
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
        if self.latency_ms is not None:
            return f"{self.latency_ms:g} ms a call"
        return "the blocks that rules remove" if self.size_bytes is None else f"{self.size_bytes:,} bytes a file"

    @property
    def is_counted(self) -> bool:
        """Whether the goal is reached by what goes; a latency or a size has to be measured."""
        return self.latency_ms is None and self.size_bytes is None

    @property
    def option(self) -> str:
        """The goal as the command line takes it; "" where rules alone say what goes."""
        if self.macs is not None:
            return f"{100 * self.macs:g}%"
        if self.units is not None:
            return f"units={100 * self.units:g}%"
        if self.latency_ms is not None:
            return f"latency={self.latency_ms:g}ms"
        return "" if self.size_bytes is None else f"size={self.size_bytes}"

    def most_of(self, layer: str, units: int) -> int:
        """How many of a layer's units may go; the last matching rule wins. Rules that remove blocks say nothing of others."""
        rule = PruneRule(layer)
        for each in self.rules:
            if not each.remove and fnmatch.fnmatchcase(layer, each.scope):
                rule = each
        return max(0, min(int(rule.most * units), units - rule.least))
