"""Do a recipe's rules name anything? A scope with a typing error would otherwise be a rule without effect."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from typing import Protocol

from edgekit.errors import RecipeError

_SHOWN = 3


class Scoped(Protocol):
    """A rule for what its scope matches. Exists so that rules of every kind are checked alike."""

    @property
    def scope(self) -> str: ...


def require_matching(rules: Sequence[Scoped], names: Sequence[str]) -> None:
    """Raises RecipeError, with names near to it, for the first rule whose scope matches none of ``names``."""
    for rule in rules:
        if not any(fnmatch.fnmatchcase(name, rule.scope) for name in names):
            known = list(dict.fromkeys(names))
            near = difflib.get_close_matches(rule.scope, known, n=_SHOWN, cutoff=0.3) or known[:_SHOWN]
            raise RecipeError(
                f"no node of the model matches the scope {rule.scope!r}. Nodes have names like "
                f"{', '.join(map(repr, near))}; * and ? stand for any characters."
            )
