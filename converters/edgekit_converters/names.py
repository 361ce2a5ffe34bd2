"""`UniqueNames`: the names that stand in a graph, so that no new one is given twice."""

from __future__ import annotations

from collections.abc import Iterable


class UniqueNames:
    """Names that are taken. They only grow in number: a name that was given once never comes again."""

    def __init__(self, taken: Iterable[str | None] = ()) -> None:
        self._taken = set(taken)

    def give(self, hint: str) -> str:
        """``hint`` where it is free, else ``hint_2``, ``hint_3`` and so on."""
        candidate, count = hint, 1
        while candidate in self._taken:
            count += 1
            candidate = f"{hint}_{count}"
        self._taken.add(candidate)
        return candidate
