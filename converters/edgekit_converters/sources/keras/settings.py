"""`Settings`: the typed view of a layer's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file says of a layer. A missing or null entry gives the default; a wrong type raises ValueError."""

    values: Mapping[str, object]

    def get(self, key: str) -> object:
        return self.values.get(key)

    def integer(self, key: str, default: int | None = None) -> int:
        found = self._present(key, default)
        if isinstance(found, float) and found.is_integer():
            found = int(found)
        if not isinstance(found, int) or not _is_integer(found):
            raise ValueError(f"{key} is {found!r}; expected an integer")
        return found

    def number(self, key: str, default: float | None = None) -> float:
        """A number; a list of one number and the `{"value": number}` of serialized arrays count as numbers."""
        found = plain_number(self._present(key, default))
        if found is None:
            raise ValueError(f"{key} is {self.get(key)!r}; expected a number")
        return found

    def flag(self, key: str, default: bool) -> bool:
        found = self._present(key, default)
        if not isinstance(found, (bool, int)):
            raise ValueError(f"{key} is {found!r}; expected true or false")
        return bool(found)

    def text(self, key: str, default: str | None = None) -> str:
        found = self._present(key, default)
        if not isinstance(found, str):
            raise ValueError(f"{key} is {found!r}; expected a text")
        return found

    def integers(self, key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """A list of integers; one integer counts as a list of one."""
        found = self._present(key, default)
        items = found if isinstance(found, (list, tuple)) else (found,)
        if not all(_is_integer(item) for item in items):
            raise ValueError(f"{key} is {found!r}; expected integers")
        return tuple(items)

    def spatial(self, key: str, rank: int, default: int | None = None) -> tuple[int, ...]:
        """``rank`` positive integers, one a spatial axis; a single integer stands for all of them."""
        items = self.integers(key, None if default is None else (default,) * rank)
        if len(items) == 1:
            items *= rank
        if len(items) != rank or min(items) < 1:
            raise ValueError(f"{key} is {self.get(key)!r}; expected {rank} positive integers")
        return items

    def _present(self, key: str, default: object) -> object:
        found = self.values.get(key)
        if found is not None:
            return found
        if default is None:
            raise ValueError(f"{key} is missing")
        return default


def _is_integer(found: object) -> bool:
    """An integer of a size that an axis, stride or number of channels can have."""
    return isinstance(found, int) and not isinstance(found, bool) and abs(found) <= _LARGEST


_LARGEST = 2**31 - 1


def plain_number(raw: object) -> float | None:
    """The number that ``raw`` stands for: itself, the only item of a list, or the value of a serialized array."""
    if isinstance(raw, Mapping):
        raw = raw.get("value", raw.get("config"))
        return plain_number(raw)
    if isinstance(raw, (list, tuple)) and len(raw) == 1:
        return plain_number(raw[0])
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return float(raw)
    return None
