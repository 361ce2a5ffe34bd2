"""`Sparsity`: which weights may be left out, as a pattern and a share. Parsed from ``50%``, ``2:4`` and ``block=1x4:70%``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgekit.errors import RecipeError

_EXPECTED = "expected a share of zeros (50%), weights kept in each group (2:4) or blocks (block=1x4:70%)"


@dataclass(frozen=True, slots=True)
class Sparsity:
    """``share``: zeros among the weights, 0..1. ``block``: (outputs, inputs) that are kept or dropped as one.

    ``group``: of that many input channels in a row the same number is kept, ``group * (1 - share)``; None: anywhere.
    What is left of the channels behind the last whole group keeps its part, rounded up.
    """

    share: float
    block: tuple[int, int] = (1, 1)
    group: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise RecipeError(f"the share of zeros is {self.share:g}; expected a number between 0 and 1, 0.5 for 50%")
        if min(self.block) < 1:
            raise RecipeError(f"a block of {self.block[0]}x{self.block[1]} holds no weights; expected outputs x inputs")

    @property
    def kept_of_group(self) -> int:
        assert self.group is not None
        return round(self.group * (1 - self.share))

    def kept_of(self, channels: int) -> int:
        """Weights kept of so many input channels: of whole groups and of the rest, which holds the pattern once filled up."""
        assert self.group is not None
        groups, rest = divmod(channels, self.group)
        return groups * self.kept_of_group + -(-rest * self.kept_of_group // self.group)

    def __str__(self) -> str:
        if self.group is not None:
            return f"{self.kept_of_group}:{self.group}"
        rows, columns = self.block
        share = f"{100 * self.share:g}%"
        return share if self.block == (1, 1) else f"block={rows}x{columns}:{share}"


def parse_sparsity(text: str) -> Sparsity:
    """The sparsity that ``50%``, ``2:4`` (2 of 4 input channels kept) or ``block=1x4:70%`` (1 output x 4 inputs) asks for.

    Raises RecipeError for anything else.
    """
    if found := re.fullmatch(r"(?:block=(\d+)x(\d+):)?(\d+(?:\.\d+)?)%", text.strip()):
        rows, columns, percent = found.groups()
        return Sparsity(float(percent) / 100, (int(rows or 1), int(columns or 1)))
    if found := re.fullmatch(r"(\d+):(\d+)", text.strip()):
        kept, group = int(found[1]), int(found[2])
        if not 0 < kept < group:
            raise RecipeError(f"sparsity {text!r} keeps {kept} of {group} weights; {_EXPECTED}")
        return Sparsity(1 - kept / group, group=group)
    raise RecipeError(f"sparsity is {text!r}; {_EXPECTED}")


@dataclass(frozen=True, slots=True)
class MatrixZeros:
    """What one weight matrix got. ``pattern`` is empty where it stayed dense, for ``reason``."""

    name: str
    op: str
    pattern: str
    weights: int
    zeros: int
    reason: str = ""

    @property
    def share(self) -> float:
        """Zeros among its weights."""
        return self.zeros / max(1, self.weights)


@dataclass(frozen=True, slots=True)
class FileZeros:
    """The weights of a written file, those that are zero, and its size as it is and zipped.

    ``skipped``: weights of matrices that are stored without their zeros, which the runtime's kernel skips.
    """

    file: str
    weights: int
    zeros: int
    size_bytes: int
    zipped_bytes: int
    skipped: int = 0

    @property
    def share(self) -> float:
        """Zeros among its weights."""
        return self.zeros / max(1, self.weights)


@dataclass(frozen=True, slots=True)
class SparsityFacts:
    """What `--sparsify` did: to every matrix of the model, and what the files hold of it (rounding to int8 adds zeros)."""

    wanted: str
    matrices: tuple[MatrixZeros, ...] = ()
    files: tuple[FileZeros, ...] = ()

    @property
    def share(self) -> float:
        """Zeros among all weights, those of matrices that stayed dense included."""
        return sum(matrix.zeros for matrix in self.matrices) / max(1, sum(matrix.weights for matrix in self.matrices))
