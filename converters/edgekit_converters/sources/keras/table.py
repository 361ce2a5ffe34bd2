"""The table of layers: for each class the function that emits it and the weights it has. One entry a layer."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit_converters.sources.keras.settings import Settings

if TYPE_CHECKING:
    from edgekit_converters.sources.keras.call import LayerCall
    from edgekit_converters.sources.keras.value import Value

Emit = Callable[["LayerCall"], "Value | Sequence[Value]"]
Roles = Callable[[Settings], tuple[str, ...]]
Masks = Callable[["LayerCall"], "tuple[Value | None, ...]"]
"""The masks of a call's outputs; those behind the last one have none."""
NOT_TRAINED = frozenset({"moving_mean", "moving_variance", "vector_u", "mean", "variance", "count"})
"""Weights that Keras lists behind the trained ones."""


def no_weights(_: Settings) -> tuple[str, ...]:
    return ()


def no_mask(_: LayerCall) -> tuple[Value | None, ...]:
    """Most layers lose the mask: behind them every step counts."""
    return ()


@dataclass(frozen=True, slots=True)
class Rule:
    """How a layer is read. ``roles`` names its own weights in the order of the file, ``masks`` what it does to masks.

    A layer that keeps weights in parts of its own names the part first: "cell/kernel" for the kernel of a recurrent cell.
    """

    emit: Emit
    roles: Roles = no_weights
    masks: Masks = no_mask


def reads(*kinds: str, weights: Roles = no_weights, masks: Masks = no_mask) -> Callable[[Emit], Emit]:
    """Mark a function as the rule of these layer classes."""

    def mark(emit: Emit) -> Emit:
        entries = [*getattr(emit, "keras_rules", ()), *((kind, Rule(emit, weights, masks)) for kind in kinds)]
        emit.keras_rules = tuple(entries)  # type: ignore[attr-defined]  # found by `rules`
        return emit

    return mark


@functools.cache
def rules() -> dict[str, Rule]:
    """All rules by layer class, gathered from the modules of the `rules` package."""
    from edgekit_converters.sources.keras import rules as package

    table: dict[str, Rule] = {}
    for module in pkgutil.iter_modules(package.__path__):
        found = importlib.import_module(f"{package.__name__}.{module.name}")
        for member in vars(found).values():
            for emit in member if isinstance(member, tuple) else (member,):
                table.update(getattr(emit, "keras_rules", ()))
    return table
