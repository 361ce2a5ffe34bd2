"""Write a Scan or Loop of few, known rounds as its rounds one behind the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub.edit import Editor, attribute, constant, dims, nodes_of
from edgekit_converters.hub.loop_shapes import fixed_rounds

MOST_NODES, MOST_ROUNDS = 1024, 16
"""What an unrolled loop may have. Runtimes enter and leave a round at the price of several small operators; but a long loop is a
recurrent layer as a rule, whose state int8 would ruin step by step."""


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """A loop whose ``count`` is known. ``states``: what goes round, with its first values. ``axes``: where the results that each
    round adds are joined; ``backward``: those that grow at their front."""

    node: ir.Node
    body: ir.Graph
    count: int
    states: tuple[ir.Value, ...]
    axes: tuple[int, ...]
    backward: tuple[bool, ...]


def unroll_loops(model: ir.Model) -> int:
    """Unroll every Scan, and every Loop with a constant count and no condition, of at most `MOST_ROUNDS` rounds.

    Loops with loops, branches or other subgraphs inside stay, as do those whose states are optional or sequences. Requires:
    inferred shapes. Returns the number of loops unrolled.
    """
    edit = Editor(model)
    unrolled = 0
    for node in nodes_of(model, "Scan", "Loop"):
        rounds = _scan(node) if node.op_type == "Scan" else _loop(node)
        if rounds is not None and _is_plain(rounds):
            _unroll(rounds, edit)
            unrolled += 1
    return unrolled


def _scan(node: ir.Node) -> Rounds | None:
    scanned = attribute(node, "num_scan_inputs", 0)
    states = len(node.inputs) - scanned
    results = len(node.outputs) - states
    sizes = {_size(value, axis) for value, axis in zip(node.inputs[states:], _scan_axes(node, scanned), strict=True)}
    count = sizes.pop() if len(sizes) == 1 else None
    if count is None or count < 1:
        return None
    return Rounds(
        node,
        node.attributes["body"].as_graph(),
        count,
        tuple(value for value in node.inputs[:states] if value is not None),
        tuple(attribute(node, "scan_output_axes", (0,) * results)),
        tuple(bool(way) for way in attribute(node, "scan_output_directions", (0,) * results)),
    )


def _loop(node: ir.Node) -> Rounds | None:
    """None where a condition may end the loop."""
    count = fixed_rounds(node)
    if count is None or count < 1:
        return None
    body = node.attributes["body"].as_graph()
    states = tuple(value for value in node.inputs[2:] if value is not None)
    results = len(node.outputs) - len(states)
    return Rounds(node, body, count, states, (0,) * results, (False,) * results)


def _is_plain(rounds: Rounds) -> bool:
    nested = any(
        entry.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
        for child in rounds.body
        for entry in child.attributes.values()
    )
    tensors = all(isinstance(value.type, ir.TensorType) for value in rounds.states)
    few = rounds.count <= MOST_ROUNDS and rounds.count * len(rounds.body) <= MOST_NODES
    return few and tensors and not nested


def _unroll(rounds: Rounds, edit: Editor) -> None:
    node, states = rounds.node, list(rounds.states)
    shared = _lifted(rounds.body, edit)
    collected: list[list[ir.Value]] = [[] for _ in rounds.axes]
    for number in range(rounds.count):
        made = _copied(rounds, shared, _inputs(rounds, number, states, edit), edit)
        if node.op_type == "Loop":
            made = made[1:]
        states = list(made[: len(states)])
        for results, axis, value in zip(collected, rounds.axes, made[len(states) :], strict=True):
            results.append(edit.node("Unsqueeze", [value, edit.index([axis], "axes")], before=node))
    for old, new in zip(node.outputs, states, strict=False):
        edit.replace(old, new)
    for place, results in enumerate(collected):
        ordered = results[::-1] if rounds.backward[place] else results
        old = node.outputs[len(states) + place]
        edit.replace(old, edit.node("Concat", ordered, before=node, like=old, axis=rounds.axes[place]))
    graph = node.graph
    assert graph is not None
    graph.remove(node, safe=True)


def _lifted(body: ir.Graph, edit: Editor) -> dict[ir.Value, ir.Value]:
    """The body's own constants as constants of the model."""
    found = {}
    for value in body.initializers.values():
        if (array := constant(value)) is not None:
            found[value] = edit.constant(array, value.name or "constant")
    return found


def _inputs(rounds: Rounds, number: int, states: Sequence[ir.Value], edit: Editor) -> list[ir.Value]:
    """What the body takes in round ``number``."""
    node = rounds.node
    if node.op_type == "Loop":
        return [edit.index(number, "round"), edit.constant(np.array(True), "true"), *states]
    scanned = node.inputs[len(states) :]
    ways = attribute(node, "scan_input_directions", (0,) * len(scanned))
    slices = []
    for value, axis, backward in zip(scanned, _scan_axes(node, len(scanned)), ways, strict=True):
        place = rounds.count - 1 - number if backward else number
        slices.append(edit.node("Gather", [value, edit.index(place, "round")], before=node, axis=axis))
    return [*states, *slices]


def _copied(
    rounds: Rounds, shared: Mapping[ir.Value, ir.Value], inputs: Sequence[ir.Value], edit: Editor
) -> list[ir.Value]:
    """The results of the body's nodes, copied in front of the loop, on ``inputs``."""
    known: dict[ir.Value, ir.Value] = {**shared, **dict(zip(rounds.body.inputs, inputs, strict=True))}
    for child in rounds.body:
        reads = [None if value is None else known.get(value, value) for value in child.inputs]
        settings = {name: entry.value for name, entry in child.attributes.items()}
        hint = child.name or f"{rounds.node.name}/{child.op_type}"
        first = edit.node(child.op_type, reads, before=rounds.node, outputs=len(child.outputs), hint=hint, **settings)
        made = first.producer()
        assert made is not None
        for old, new in zip(child.outputs, made.outputs, strict=True):
            new.type, new.shape = old.type, old.shape
            known[old] = new
    return [known.get(value, value) for value in rounds.body.outputs]


def _scan_axes(node: ir.Node, scanned: int) -> tuple[int, ...]:
    found: tuple[int, ...] = attribute(node, "scan_input_axes", (0,) * scanned)
    return found


def _size(value: ir.Value | None, axis: int) -> int | None:
    shape = dims(value)
    size = None if shape is None else shape[axis]
    return size if isinstance(size, int) else None
