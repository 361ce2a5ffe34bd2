"""States that a stateful layer keeps from call to call, as inputs and outputs of the model."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.cells import Cell
from edgekit_converters.sources.keras.value import Value, native


def carried_states(call: LayerCall, cells: Sequence[Cell], sequence: Value, part: str) -> list[Value]:
    """A model input for each state of each cell, with the sequence's batch."""
    size = sequence.batch if isinstance(sequence.batch, int) else sequence.batch.value
    if size is None or f"{_names(call, cells, part)[0]}_out" in call.shared.carried:
        raise call.unsupported("keeps its state, which can be converted where it is called once, on whole sequences")
    sizes = [cell.units for cell in cells for _ in cell.kind.states]
    return [
        Value(call.graph, {native(2): call.graph.input(f"{name}_in", "float32", [size, units])})
        for name, units in zip(_names(call, cells, part), sizes, strict=True)
    ]


def give_back(call: LayerCall, cells: Sequence[Cell], states: Sequence[Value], part: str) -> None:
    """Name the states for the next call as outputs of the model."""
    for name, state in zip(_names(call, cells, part), states, strict=True):
        call.shared.carried[f"{name}_out"] = state.plain


def _names(call: LayerCall, cells: Sequence[Cell], part: str) -> list[str]:
    """``lstm_state_h`` and so on; the direction and the number of a stacked cell stand before "state"."""
    return [
        "_".join([call.name, *([part] if part else []), *([str(number)] if len(cells) > 1 else []), "state", state])
        for number, cell in enumerate(cells)
        for state in cell.kind.states
    ]
