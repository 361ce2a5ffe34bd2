"""What a recurrent layer needs to compute on integers alone: which form it takes, and the values inside that need encodings."""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx_ir as ir

from edgekit_converters.hub.edit import attribute
from edgekit_converters.hub.expose_recurrent import role_name
from edgekit_converters.quantize.params import QuantParams, QuantType, per_tensor
from edgekit_converters.rules import RECURRENT

_ACTIVATIONS = {"RNN": (("tanh",), ("relu",)), "LSTM": (("sigmoid", "tanh", "tanh"),), "GRU": (("sigmoid", "tanh"),)}
_LENGTHS, _HIDDEN, _CELL, _PEEPHOLES = 4, 5, 6, 7
_ROLES = {
    "RNN": ("hidden", "projected", "recalled", "gates"),
    "LSTM": ("hidden", "projected", "recalled", "gates", "added", "kept", "cell"),
    "GRU": ("hidden", "projected", "recalled", "gates", "passed", "candidate", "difference", "change"),
}
LARGEST_CELL_SCALE = 2.0**-9
"""The LSTM kernel's limit: its cell state holds up to 64, where a tanh has long been 1."""

CELL_HEADROOM = 1.25


def obstacle(node: ir.Node) -> str:
    """Why a recurrent layer can't compute on integers; empty when it can."""
    if not all(
        node.inputs[index] is not None and _is_constant(node.inputs[index]) for index in RECURRENT[node.op_type]
    ):
        return "its weights are not constants"
    if attribute(node, "direction", "forward") == "bidirectional":
        return "it is bidirectional and its activations have parameters"
    for index, what in ((_LENGTHS, "sequence lengths"), (_PEEPHOLES, "peepholes")):
        if len(node.inputs) > index and node.inputs[index] is not None:
            return f"it has {what}, which the integer form has not"
    if attribute(node, "clip", 0.0) or attribute(node, "input_forget", 0):
        return "it clips or couples its gates"
    names = tuple(name.lower() for name in attribute(node, "activations", ()))
    if names and names not in _ACTIVATIONS[node.op_type]:
        known = " or ".join(map(", ".join, _ACTIVATIONS[node.op_type]))
        return f"its activations are {', '.join(names)}; the integer form has {known}"
    return ""


def is_fused(node: ir.Node) -> bool:
    """Whether the layer is one operator: an LSTM that begins at rest and of which only the outputs are read."""
    states = any(len(node.inputs) > index and node.inputs[index] is not None for index in (_HIDDEN, _CELL))
    reads_cell = len(node.outputs) > 2 and _is_read(node.outputs[2])
    return node.op_type == "LSTM" and not states and not reads_cell


def width_of(node: ir.Node) -> QuantType:
    """The type of the layer's data and outputs: the LSTM operator takes 8 bits and keeps 16 to itself."""
    return QuantType.INT8 if is_fused(node) else QuantType.INT16


def roles_of(node: ir.Node) -> dict[str, QuantType]:
    """Names of the values inside the layer that need encodings, with their types."""
    name = node.name or ""
    if is_fused(node):
        return {role_name(name, "hidden"): QuantType.INT8, role_name(name, "cell"): QuantType.INT16}
    inner = ("inner",) if node.op_type == "GRU" and not attribute(node, "linear_before_reset", 0) else ()
    return {role_name(name, role): QuantType.INT16 for role in (*_ROLES[node.op_type], *inner)}


def shared_states(node: ir.Node) -> Iterator[tuple[str, str]]:
    """(role, output) of the outputs that are a state of the layer, and have its encoding."""
    for index, role in enumerate(("hidden", "hidden", "cell")[: len(node.outputs)]):
        value = node.outputs[index]
        if value.name:
            yield role_name(node.name or "", role), value.name


def initial_states(node: ir.Node) -> Iterator[tuple[int, str, ir.Value]]:
    """(input index, role, value) of the states that are given from outside."""
    for index, role in ((_HIDDEN, "hidden"), (_CELL, "cell")):
        value = node.inputs[index] if len(node.inputs) > index else None
        if value is not None:
            yield index, role_name(node.name or "", role), value


def fixed_state(node: ir.Node) -> QuantParams | None:
    """The encoding of a state that is what a TANH writes."""
    names = tuple(name.lower() for name in attribute(node, "activations", ("tanh",)))
    return per_tensor(2.0**-15, 0, QuantType.INT16) if node.op_type == "RNN" and names == ("tanh",) else None


def cell_params(low: float, high: float) -> QuantParams:
    """The encoding of the LSTM operator's cell state: int16, its scale a power of two."""
    needed = CELL_HEADROOM * max(-low, high, 1e-6) / QuantType.INT16.high
    return per_tensor(min(2.0 ** math.ceil(math.log2(needed)), LARGEST_CELL_SCALE), 0, QuantType.INT16)


def _is_constant(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is not None


def _is_read(value: ir.Value) -> bool:
    return bool(value.name) and (value.is_graph_output() or bool(value.uses()))
