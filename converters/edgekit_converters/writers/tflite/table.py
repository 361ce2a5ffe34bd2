"""The table from hub ops to the functions that write them; `lowers` enters a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit_converters.writers.tflite.graph import FlatGraph
    from edgekit_converters.writers.tflite.node import HubNode

Lowering = Callable[["HubNode", "FlatGraph"], None]

_LOWERINGS: dict[str, Lowering] = {}
_INTEGER: set[str] = set()


def lowers(*ops: str, int8: bool = False) -> Callable[[Lowering], Lowering]:
    """Enter a function as the one that writes ``ops``; ``int8`` says that it has an int8 rule as well as a float one."""

    def enter(function: Lowering) -> Lowering:
        for op in ops:
            assert op not in _LOWERINGS, f"{op} is entered twice"
            _LOWERINGS[op] = function
            if int8:
                _INTEGER.add(op)
        return function

    return enter


def lowering_of(op: str) -> Lowering | None:
    return _LOWERINGS.get(op)


def supported_ops() -> tuple[str, ...]:
    """Every hub op the writer can emit, in alphabetical order."""
    return tuple(sorted(_LOWERINGS))


def integer_ops() -> tuple[str, ...]:
    """Those of them with an int8 rule; the others compute in float between DEQUANTIZE and QUANTIZE."""
    return tuple(sorted(_INTEGER))
