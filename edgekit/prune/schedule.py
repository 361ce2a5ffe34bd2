"""When to prune how much: `Polynomial`, `Constant` and `OneShot`, told in steps of the user's optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

from edgekit.errors import UsageError


class Schedule(Protocol):
    """The part of the final amount that is to be pruned after a step. Exists so that a loop can bring its own."""

    def share(self, step: int) -> float:
        """0 (nothing yet) to 1 (all that was asked for) after ``step`` steps; it never falls."""

    def due(self, step: int) -> bool:
        """Whether what is pruned is chosen anew after ``step`` steps."""


@final
@dataclass(frozen=True, slots=True)
class Polynomial:
    """From nothing at step ``begin`` to all at step ``end``: ``1 - (1 - (t - begin) / (end - begin)) ** power``.

    The cubic default is that of M. Zhu and S. Gupta, "To prune, or not to prune", 2017: fast while much is redundant, slow
    at the end. What is pruned is chosen ``every`` so many steps.
    """

    begin: int
    end: int
    power: float = 3.0
    every: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.begin < self.end:
            raise UsageError(f"the schedule is from step {self.begin} to {self.end}; expected 0 <= begin < end")
        if self.power <= 0 or self.every < 1:
            raise UsageError(f"power is {self.power}, every is {self.every}; expected power > 0 and every >= 1")

    def share(self, step: int) -> float:
        if step < self.begin:
            return 0.0
        part = min(1.0, (step - self.begin) / (self.end - self.begin))
        return float(1.0 - (1.0 - part) ** self.power)

    def due(self, step: int) -> bool:
        return step == self.end or (self.begin <= step < self.end and (step - self.begin) % self.every == 0)


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """All of it from step ``begin`` on, chosen anew ``every`` so many steps until step ``end``."""

    begin: int
    end: int
    every: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.begin <= self.end or self.every < 1:
            raise UsageError(
                f"the schedule is from step {self.begin} to {self.end}, every {self.every}; expected 0 <= begin <= end and "
                "every >= 1"
            )

    def share(self, step: int) -> float:
        return 0.0 if step < self.begin else 1.0

    def due(self, step: int) -> bool:
        return self.begin <= step <= self.end and (step - self.begin) % self.every == 0


@final
@dataclass(frozen=True, slots=True)
class OneShot:
    """All of it at step ``at``, chosen once. At 0: as soon as the pruner is made."""

    at: int = 0

    def __post_init__(self) -> None:
        if self.at < 0:
            raise UsageError(f"the schedule prunes at step {self.at}; expected 0 or more")

    def share(self, step: int) -> float:
        return 0.0 if step < self.at else 1.0

    def due(self, step: int) -> bool:
        return step == self.at
