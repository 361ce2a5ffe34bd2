"""`Ranges`: what calibration saw and chose, by value name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.recipe import Observer


@dataclass(frozen=True, slots=True)
class TensorRange:
    """``low .. high`` is what ``observer`` chose, ``seen_low .. seen_high`` what it saw."""

    observer: Observer
    low: float
    high: float
    seen_low: float
    seen_high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"the range {self.low} .. {self.high} is empty")


@dataclass(frozen=True, slots=True)
class Ranges(Mapping[str, tuple[float, float]]):
    """The chosen (low, high) by value name, from ``samples`` samples."""

    tensors: Mapping[str, TensorRange]
    samples: int

    def __getitem__(self, name: str) -> tuple[float, float]:
        found = self.tensors[name]
        return found.low, found.high

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON: the number of samples and, per tensor, the observer, what it saw and what it chose."""
        tensors = {
            name: {
                "observer": found.observer.value,
                "seen": [found.seen_low, found.seen_high],
                "range": [found.low, found.high],
            }
            for name, found in self.tensors.items()
        }
        return {"samples": self.samples, "tensors": tensors}
