"""How much to prune: "50%" of the weights one by one, or "2:4", so many of each group of neighbours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError

Mask = NDArray[np.bool_]


class Amount(Protocol):
    """Which weights of a tensor stay. Tensors come with the axis that a layer sums over at the end: ``(..., inputs)``."""

    def mask(self, weights: NDArray[np.floating], share: float) -> Mask:
        """True where a weight stays, when ``share`` (0..1) of the final amount is to be pruned."""

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape can be pruned so."""


@final
@dataclass(frozen=True, slots=True)
class Fraction:
    """The weights of smallest magnitude, this part of each tensor."""

    sparsity: float

    def __post_init__(self) -> None:
        _require_part(self.sparsity)

    def mask(self, weights: NDArray[np.floating], share: float) -> Mask:
        count = round(self.sparsity * share * weights.size)
        stays = np.ones(weights.size, bool)
        stays[np.argsort(np.abs(weights), axis=None, kind="stable")[:count]] = False
        return stays.reshape(weights.shape)

    def fits(self, shape: tuple[int, ...]) -> bool:
        return True


@final
@dataclass(frozen=True, slots=True)
class NofM:
    """``kept`` of every ``group`` neighbours along the axis that is summed over, those of largest magnitude ("2:4" is 2 of 4).

    Before the whole amount is due, the groups that lose least are pruned first.
    """

    kept: int
    group: int

    def __post_init__(self) -> None:
        if not 0 < self.kept < self.group:
            raise UsageError(
                f"the amount to prune is {self.kept}:{self.group}; expected N:M with 0 < N < M, such as 2:4"
            )

    def mask(self, weights: NDArray[np.floating], share: float) -> Mask:
        magnitudes = np.abs(weights).reshape(-1, self.group)
        order = np.argsort(-magnitudes, axis=1, kind="stable")
        stays = np.ones(magnitudes.shape, bool)
        np.put_along_axis(stays, order[:, self.kept :], False, axis=1)
        loss = np.where(stays, 0, magnitudes).sum(axis=1)
        later = np.argsort(loss, kind="stable")[round(share * len(loss)) :]
        stays[later] = True
        return stays.reshape(weights.shape)

    def fits(self, shape: tuple[int, ...]) -> bool:
        return shape[-1] % self.group == 0


def parse_amount(text: str) -> Amount:
    """From "50%" or "2:4". Raises UsageError."""
    if found := re.fullmatch(r"(\d+):(\d+)", text.strip()):
        return NofM(int(found[1]), int(found[2]))
    return Fraction(parse_share(text))


def parse_share(text: str) -> float:
    """The fraction that a percentage such as "30%" tells. Raises UsageError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if found is None:
        raise UsageError(
            f"the amount to prune is {text!r}; expected a percentage such as '50%', or for weights N:M such as '2:4'"
        )
    share = float(found[1]) / 100
    _require_part(share)
    return share


def _require_part(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise UsageError(f"the amount to prune is {100 * share:g} %; expected more than 0 and less than 100 %")
