"""Cells written out step by step, for activations that ONNX's recurrent nodes don't have and for convolutional cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from edgekit_converters.sources.keras.activations import by_name
from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.cell_weights import CellWeights
from edgekit_converters.sources.keras.cells import Cell, CellKind
from edgekit_converters.sources.keras.value import Value

LONGEST = 256
"""Steps that are written out; every step takes about ten nodes."""
Step: TypeAlias = Callable[[Value, "list[Value]", str], "list[Value]"]
"""(what the input contributes to all gates, the states, the part) to the new states, the output first."""


@dataclass(frozen=True, slots=True)
class Functions:
    """The activations of a cell as its configuration names them: of the gates and of the candidate."""

    gates: object
    own: object


def unrolled(
    call: LayerCall,
    cell: Cell,
    arrays: CellWeights,
    functions: Functions,
    sequence: Value,
    initial: Sequence[Value],
    part: str,
) -> list[Value]:
    """Every step's output, (N, T, units), in the order of the sequence, and the states behind the last step."""
    kernel = call.constant(arrays.kernel, f"{cell.part}/kernel")
    projected = call.value(call.node("MatMul", sequence.plain, kernel, part="input"))
    if arrays.bias is not None:
        projected = call.binary("Add", projected, arrays.bias, "input_bias")
    step = {CellKind.SIMPLE: _simple, CellKind.GRU: _gru, CellKind.LSTM: _lstm}[cell.kind](
        call, cell, arrays, functions
    )
    return over_steps(call, projected, initial, step, len(cell.kind.states), len(cell.kind.gates), part)


def over_steps(
    call: LayerCall, projected: Value, initial: Sequence[Value], step: Step, states: int, gates: int, part: str
) -> list[Value]:
    """The outputs of all steps as one tensor, and the states behind the last. Without initial states they are zeros."""
    length = projected.shape[1]
    if length is None or length > LONGEST:
        raise call.unsupported(
            f"has to be written out step by step, which is done for up to {LONGEST} steps; it gets "
            f"{'an unknown number, which --input-shape can give' if length is None else length}"
        )
    rows = [_row(call, projected, number) for number in range(length)]
    held = list(initial) or [_zeros(call, rows[0], gates)] * states
    outputs = []
    for number, row in enumerate(rows):
        held = step(row, held, f"{part}/step_{number}" if part else f"step_{number}")
        outputs.append(held[0])
    return [_stacked(call, outputs), *held]


def lstm_step(call: LayerCall, functions: Functions, total: Value, carry: Value, part: str) -> list[Value]:
    """Output and carry behind a step whose gates' inputs, in Keras's order, add up to ``total``."""
    i, f, g, o = split(call, total, 4, part)
    kept = call.binary("Mul", activated(call, f, functions.gates, part), carry, part)
    added = call.binary("Mul", activated(call, i, functions.gates, part), activated(call, g, functions.own, part), part)
    carry = call.binary("Add", kept, added, part)
    return [
        call.binary(
            "Mul", activated(call, o, functions.gates, part), activated(call, carry, functions.own, part), part
        ),
        carry,
    ]


def split(call: LayerCall, tensor: Value, count: int, part: str) -> list[Value]:
    """Equal parts along the features."""
    layout = tensor.preferred
    axis = layout.index(tensor.rank - 1)
    pieces = call.graph.ops(
        "Split", tensor.variant(layout), outputs=count, name=f"{call.name}/{part}/split", axis=axis, num_outputs=count
    )
    return [call.value(piece, layout) for piece in pieces]


def activated(call: LayerCall, tensor: Value, raw: object, part: str) -> Value:
    return tensor if raw is None else by_name(call, tensor, raw, part)


def turned(call: LayerCall, sequence: Value) -> Value:
    """The steps from the last to the first."""
    layout = sequence.preferred
    least = np.iinfo(np.int64).min
    bounds = ((-1, "last"), (least, "first"), (layout.index(1), "time_axis"), (-1, "backwards"))
    start, stop, axis, step = (call.constant(np.array([number], np.int64), role) for number, role in bounds)
    return call.value(call.node("Slice", sequence.variant(layout), start, stop, axis, step, part="turned"), layout)


def _lstm(call: LayerCall, cell: Cell, arrays: CellWeights, functions: Functions) -> Step:
    def step(row: Value, states: list[Value], part: str) -> list[Value]:
        total = call.binary("Add", row, _times(call, states[0], arrays.recurrent, f"{cell.part}/recurrent", part), part)
        return lstm_step(call, functions, total, states[1], part)

    return step


def _simple(call: LayerCall, cell: Cell, arrays: CellWeights, functions: Functions) -> Step:
    def step(row: Value, states: list[Value], part: str) -> list[Value]:
        total = call.binary("Add", row, _times(call, states[0], arrays.recurrent, f"{cell.part}/recurrent", part), part)
        return [activated(call, total, functions.own, part)]

    return step


def _gru(call: LayerCall, cell: Cell, arrays: CellWeights, functions: Functions) -> Step:
    units = cell.units

    def step(row: Value, states: list[Value], part: str) -> list[Value]:
        (held,) = states
        width = 3 * units if arrays.reset_after else 2 * units
        inner = _times(call, held, arrays.recurrent[:, :width], f"{cell.part}/recurrent", part)
        if arrays.reset_after and arrays.recurrent_bias is not None:
            inner = call.binary("Add", inner, arrays.recurrent_bias, "recurrent_bias")
        inner_z, inner_r, *inner_h = split(call, inner, width // units, part)
        row_z, row_r, row_h = split(call, row, 3, part)
        z, r = (
            activated(call, call.binary("Add", left, right, part), functions.gates, part)
            for left, right in ((row_z, inner_z), (row_r, inner_r))
        )
        if arrays.reset_after:
            reset = call.binary("Mul", r, inner_h[0], part)
        else:
            kernel = arrays.recurrent[:, width:]
            reset = _times(call, call.binary("Mul", r, held, part), kernel, f"{cell.part}/candidate", part)
        candidate = activated(call, call.binary("Add", row_h, reset, part), functions.own, part)
        change = call.binary("Mul", call.binary("Sub", 1.0, z, part), candidate, part)
        return [call.binary("Add", call.binary("Mul", z, held, part), change, part)]

    return step


def _times(
    call: LayerCall, tensor: Value, kernel: np.ndarray[tuple[int, ...], np.dtype[np.float32]], role: str, part: str
) -> Value:
    return call.value(call.node("MatMul", tensor.plain, call.constant(kernel, role), part=part))


def _row(call: LayerCall, tensor: Value, number: int) -> Value:
    """The step of that number, without the axis of time."""
    layout = tensor.preferred
    index = call.constant(np.array(number, np.int64), f"step_{number}")
    row = call.node("Gather", tensor.variant(layout), index, part=f"row_{number}", axis=layout.index(1))
    left = [axis - (axis > 1) for axis in layout if axis != 1]
    return call.value(row, tuple(left))


def _zeros(call: LayerCall, row: Value, gates: int) -> Value:
    first = split(call, row, gates, "zeros")[0] if gates > 1 else row
    return call.binary("Sub", first, first, "zeros")


def _stacked(call: LayerCall, rows: Sequence[Value]) -> Value:
    """The rows with an axis of time behind the batch."""
    layout = rows[0].preferred
    axis = call.constant(np.array([1], np.int64), "time_axis")
    parts = [call.node("Unsqueeze", row.variant(layout), axis, part="steps") for row in rows]
    made = call.node("Concat", *parts, part="outputs", axis=1)
    return call.value(made, (0, 1, *(place + 1 for place in layout[1:])))
