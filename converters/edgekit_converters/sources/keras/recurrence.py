"""Recurrent layers as ONNX nodes: one RNN, LSTM or GRU node a cell, over time-major tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit_converters.sources.keras.activations import described
from edgekit_converters.sources.keras.call import LayerCall
from edgekit_converters.sources.keras.cell_weights import CellWeights, cell_weights
from edgekit_converters.sources.keras.cells import Cell, CellKind, Recurrence
from edgekit_converters.sources.keras.packing import Packing
from edgekit_converters.sources.keras.unrolled import Functions, turned, unrolled
from edgekit_converters.sources.keras.value import Value

_TIME_MAJOR = (1, 0, 2)
"""(T, N, features): the layout of ONNX's recurrent nodes."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What going over a sequence gives: every step's output in the order of time, the last one processed, the states."""

    outputs: Value
    last: Value
    states: tuple[Value, ...]


def go_over(
    call: LayerCall,
    recurrence: Recurrence,
    sequence: Value,
    initial: Sequence[Value],
    mask: Value | None,
    part: str = "",
) -> Pass:
    """All cells over the sequence; ``initial`` holds the states of every cell, or nothing where they are zeros."""
    if mask is not None:
        return _go_over_shown(call, recurrence, sequence, initial, Packing(call, mask, recurrence.backwards), part)
    states: list[Value] = []
    for cell, own, name in _cells(recurrence, initial, part):
        sequence, *ends = _emitted(call, cell, sequence, own, None, name, reverse=recurrence.backwards)
        states += ends
    return Pass(sequence, states[-len(recurrence.cells[-1].kind.states)], tuple(states))


def _go_over_shown(
    call: LayerCall, recurrence: Recurrence, sequence: Value, initial: Sequence[Value], packing: Packing, part: str
) -> Pass:
    """The same over the steps that the mask shows."""
    states: list[Value] = []
    carries = recurrence.return_state or recurrence.stateful
    sequence = packing.packed(sequence)
    first: Value | None = None
    for cell, own, name in _cells(recurrence, initial, part):
        lengths = packing.lengths() if carries and len(cell.kind.states) > 1 else None
        sequence, _, *others = _emitted(call, cell, sequence, own, lengths, name)
        first = own[0] if own else None
        states.append(packing.last(sequence, first))
        states += [packing.settled(state, own[1] if own else None) for state in others]
    last = packing.last(sequence, None)
    last = packing.shown(last) if recurrence.zero_output else last
    return Pass(packing.unpacked(sequence, recurrence.zero_output), last, tuple(states))


def _cells(recurrence: Recurrence, initial: Sequence[Value], part: str) -> list[tuple[Cell, list[Value], str]]:
    """Each cell with its initial states and the part of the layer that its nodes are named after."""
    given, rows = list(initial), []
    if given and len(given) != sum(len(cell.kind.states) for cell in recurrence.cells):
        raise ValueError(
            f"it gets {len(given)} initial states; expected {[cell.kind.states for cell in recurrence.cells]}"
        )
    for number, cell in enumerate(recurrence.cells):
        own = [given.pop(0) for _ in cell.kind.states] if given else []
        names = [name for name in (part, f"cell_{number}" if len(recurrence.cells) > 1 else "") if name]
        rows.append((cell, own, "/".join(names)))
    return rows


def _emitted(
    call: LayerCall,
    cell: Cell,
    sequence: Value,
    initial: Sequence[Value],
    lengths: ir.Value | None,
    part: str,
    *,
    reverse: bool = False,
) -> list[Value]:
    """The node's outputs: of every step, (N, T, units), and its states behind the last one, (N, units)."""
    arrays = cell_weights(call, cell)
    functions = _functions(call, cell)
    if functions is None:
        return _written_out(call, cell, arrays, sequence, initial, lengths, part, reverse=reverse)
    operands = [sequence.variant(_TIME_MAJOR), *_constants(call, cell, arrays), lengths]
    operands += [_stacked(call, state) for state in initial]
    while operands[-1] is None:
        operands.pop()
    made = call.graph.ops(
        cell.kind.op_type,
        *operands,
        outputs=1 + len(cell.kind.states),
        name=f"{call.name}/{part}" if part else call.name,
        hidden_size=cell.units,
        direction="reverse" if reverse else "forward",
        **_attributes(cell, arrays, functions),
    )
    axes = [call.constant(np.array([axis], np.int64), f"axis_{axis}") for axis in (1, 0)]
    outputs = call.value(call.node("Squeeze", made[0], axes[0], part="steps"), _TIME_MAJOR)
    return [outputs, *(call.value(call.node("Squeeze", state, axes[1], part="state")) for state in made[1:])]


def _stacked(call: LayerCall, state: Value) -> ir.Value:
    """(1, N, units)."""
    return call.node("Unsqueeze", state.plain, call.constant(np.array([0], np.int64), "axis_0"), part="initial")


def _constants(call: LayerCall, cell: Cell, arrays: CellWeights) -> list[ir.Value | None]:
    """Kernels (1, gates * units, features or units) and both biases in a row, the gates in ONNX's order."""
    kernels: list[ir.Value | None] = [
        call.constant(_gates(cell, array).T[None], f"{cell.part}/{role}")
        for role, array in (("kernel", arrays.kernel), ("recurrent_kernel", arrays.recurrent))
    ]
    if arrays.bias is None or arrays.recurrent_bias is None:
        return [*kernels, None]
    biases = np.concatenate([_gates(cell, arrays.bias), _gates(cell, arrays.recurrent_bias)])
    return [*kernels, call.constant(biases[None].astype(np.float32), f"{cell.part}/bias")]


def _gates(cell: Cell, array: NDArray[Any]) -> NDArray[Any]:
    """The array with the gates along its last axis in ONNX's order."""
    parts = np.split(array, len(cell.kind.gates), axis=-1)
    return np.ascontiguousarray(np.concatenate([parts[gate] for gate in cell.kind.gates], axis=-1))


def _written_out(
    call: LayerCall,
    cell: Cell,
    arrays: CellWeights,
    sequence: Value,
    initial: Sequence[Value],
    lengths: ir.Value | None,
    part: str,
    *,
    reverse: bool,
) -> list[Value]:
    """The same without a recurrent node."""
    if lengths is not None:
        raise call.unsupported(
            f"returns its state behind hidden steps and has activations that no {cell.kind.op_type} node has"
        )
    functions = Functions(*_activations(call, cell))
    given = turned(call, sequence) if reverse else sequence
    outputs, *states = unrolled(call, cell, arrays, functions, given, initial, part)
    return [turned(call, outputs) if reverse else outputs, *states]


def _attributes(cell: Cell, arrays: CellWeights, functions: Sequence[_Function]) -> Mapping[str, Any]:
    """The activations where they are not ONNX's own, and the form of a GRU."""
    found: dict[str, Any] = {"linear_before_reset": int(arrays.reset_after)} if cell.kind is CellKind.GRU else {}
    if [function.name for function in functions] != _DEFAULTS[cell.kind]:
        found["activations"] = [function.name for function in functions]
        for key in ("alpha", "beta"):
            if numbers := [getattr(function, key) for function in functions if getattr(function, key) is not None]:
                found[f"activation_{key}"] = numbers
    return found


def _activations(call: LayerCall, cell: Cell) -> tuple[object, object]:
    """The activations of the gates and of the candidate, as the configuration names them."""
    settings = cell.settings
    of_gates = "sigmoid" if call.provenance.major >= 3 or cell.cudnn else "hard_sigmoid"
    own = settings.get("activation") if "activation" in settings.values else "tanh"
    gates = settings.get("recurrent_activation") if "recurrent_activation" in settings.values else of_gates
    return gates, own


@dataclass(frozen=True, slots=True)
class _Function:
    """An activation of ONNX's recurrent nodes."""

    name: str
    alpha: float | None = None
    beta: float | None = None


_FUNCTIONS: Mapping[str, _Function] = {
    "elu": _Function("Elu", 1.0),
    "leaky_relu": _Function("LeakyRelu", 0.2),
    "linear": _Function("Affine", 1.0, 0.0),
    "relu": _Function("Relu"),
    "sigmoid": _Function("Sigmoid"),
    "softplus": _Function("Softplus"),
    "softsign": _Function("Softsign"),
    "sparse_sigmoid": _Function("HardSigmoid", 0.5, 0.5),
    "tanh": _Function("Tanh"),
}
_DEFAULTS = {
    CellKind.SIMPLE: ["Tanh"],
    CellKind.GRU: ["Sigmoid", "Tanh"],
    CellKind.LSTM: ["Sigmoid", "Tanh", "Tanh"],
}


def _functions(call: LayerCall, cell: Cell) -> list[_Function] | None:
    """The activations in ONNX's order: of the gates, of the candidate, of the LSTM's output. None where ONNX lacks one."""
    gates, own = (_function(call, raw) for raw in _activations(call, cell))
    needed = {CellKind.SIMPLE: [own], CellKind.GRU: [gates, own], CellKind.LSTM: [gates, own, own]}[cell.kind]
    known = [function for function in needed if function is not None]
    return known if len(known) == len(needed) else None


def _function(call: LayerCall, raw: object) -> _Function | None:
    name, options = described("linear" if raw is None else raw)
    if name == "hard_sigmoid":
        return _Function("HardSigmoid", 1 / 6 if call.provenance.major >= 3 else 0.2, 0.5)
    return None if options.values else _FUNCTIONS.get(name)
