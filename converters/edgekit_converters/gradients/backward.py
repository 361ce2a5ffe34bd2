"""`Backward`: products of vectors with the Jacobian of a hub, computed by ONNX Runtime on a graph made for it (reverse mode)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgekit_converters.gradients.refusal import NoGradientError
from edgekit_converters.gradients.rules import RULES, Rule
from edgekit_converters.gradients.tape import Tape
from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import all_values
from edgekit_converters.quantize.scheme import value_name


@dataclass(frozen=True, slots=True, eq=False)
class Backward:
    """A model with the gradients among its values.

    ``probes``: by output, the name of the input that takes the vector, of the output's shape. ``gradients``: by value of the hub,
    the value that holds the gradient of the sum of all outputs times their vectors. ``tape`` appends to the model.
    """

    model: ir.Model
    probes: Mapping[str, str]
    gradients: Mapping[str, ir.Value]
    tape: Tape


def backward(hub: Hub, outputs: Sequence[str], wanted: Sequence[str]) -> Backward:
    """Gradients of the values ``outputs`` with respect to the values ``wanted``.

    Raises NoGradientError where a node between them has no rule.
    """
    model = hub.clone().model
    nodes = list(model.graph)
    values = {value_name(value): value for value in all_values(model) if value.name}
    tape = Tape(model, _needed(nodes, [values[name] for name in wanted]))
    probes = {}
    for name in outputs:
        probe = tape.input_like(values[name], f"probe:{name}")
        tape.start(values[name], probe)
        probes[name] = value_name(probe)
    for node in reversed(nodes):
        if any(tape.gradient(value) for value in node.outputs) and any(map(tape.needs, node.inputs)):
            _rule(node)(tape, node)
    gradients = {name: tape.gradient(values[name]) for name in wanted}
    found = {name: value for name, value in gradients.items() if value is not None}
    return Backward(model, probes, found, tape)


def _needed(nodes: Sequence[ir.Node], wanted: Sequence[ir.Value]) -> set[ir.Value]:
    """The values wanted, and floats computed from them."""
    needed = set(wanted)
    for node in nodes:
        if any(value in needed for value in node.inputs if value is not None):
            needed |= {value for value in node.outputs if value.dtype == ir.DataType.FLOAT}
    return needed


def _rule(node: ir.Node) -> Rule:
    rule = RULES.get(node.op_type) if node.domain == "" else None
    if rule is None:
        raise NoGradientError(node)
    return rule
