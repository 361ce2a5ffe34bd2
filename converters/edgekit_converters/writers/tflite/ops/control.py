"""Branches and loops that are decided at run time: IF and WHILE, with subgraphs of fixed shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir

from edgekit_converters.hub.bodies import captured
from edgekit_converters.hub.loop_shapes import fixed_rounds
from edgekit_converters.writers.tflite.flat_model import FlatModel, FlatTensor, Shape, options
from edgekit_converters.writers.tflite.graph import FlatGraph, physical_dtype
from edgekit_converters.writers.tflite.node import HubNode, hub_dtype
from edgekit_converters.writers.tflite.subgraphs import Body, body_of, like, own, tensor_of, type_of, variables
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape


@lowers("If")
def branch(node: HubNode, out: FlatGraph) -> None:
    """IF with a subgraph a branch; both branches give tensors of the same shapes. A constant condition is folded before."""
    names = {"thenSubgraphIndex": "then_branch", "elseSubgraphIndex": "else_branch"}
    outer = captured(*(node.node.attributes[name].as_graph() for name in names.values()))
    inputs = [tensor_of(value, out) for value in variables(outer)]
    subgraphs = {}
    for field, name in names.items():
        tape = Tape()
        given = like(inputs, tape)
        made = body_of(node, name, (), outer).write(tape, given, out.unroll_steps)
        subgraphs[field] = FlatModel(tuple(given), tuple(_separate(made, given, tape)), tuple(tape.ops))
    condition = out.tape.reshape(tensor_of(node.value(0), out), ())
    _control(node, out, "IF", "IfOptions", [condition, *inputs], subgraphs)


def _separate(tensors: list[FlatTensor], inputs: list[FlatTensor], tape: Tape) -> list[FlatTensor]:
    return [tape.copy(tensor) if tensor in inputs else tensor for tensor in own(tensors, [], tape)]


def _control(
    node: HubNode, out: FlatGraph, builtin: str, table: str, inputs: list[FlatTensor], subgraphs: dict[str, FlatModel]
) -> None:
    outputs = []
    for index in range(node.output_count):
        shape, dtype = node.output_shape(index), physical_dtype(hub_dtype(node.output(index)))
        outputs.append(out.tape.temporary(shape, dtype))
    out.tape.add_control(builtin, inputs, outputs, options(table), subgraphs)
    for index, tensor in enumerate(outputs):
        out.bind(node, tensor, None, index)


@dataclass(frozen=True, slots=True, eq=False)
class _Rounds:
    """A loop: its body, what it reads, and how results are collected."""

    node: HubNode
    body: Body
    outer: list[ir.Value]
    """Computed values from outside."""
    states: list[ir.Value]
    scanned: list[tuple[ir.Value, int, bool]]
    """Inputs of a Scan with their axis, and whether they are read from the end."""
    collected: list[tuple[Shape, int, bool]]
    """Shape of what is collected, the axis along which, and whether from the end."""
    count: int | None

    @property
    def is_loop(self) -> bool:
        return self.node.op == "Loop"


@lowers("Loop")
def loop(node: HubNode, out: FlatGraph) -> None:
    """WHILE, unless its rounds were few and known, and written out. States keep their shape, and results can be collected over a
    constant number of rounds only."""
    body = node.node.attributes["body"].as_graph()
    states = [node.value(index) for index in range(2, node.input_count)]
    results = range(len(states), node.output_count)
    count = fixed_rounds(node.node)
    if count is None and len(results):
        raise node.unsupported("it collects results over a number of rounds that is not constant")
    outer = captured(body)
    scalars = [onnx.helper.make_tensor_type_proto(kind, ()) for kind in (onnx.TensorProto.INT64, onnx.TensorProto.BOOL)]
    model = body_of(node, "body", [*scalars, *map(type_of, states)], outer)
    collected = [(node.output_shape(index), 0, False) for index in results]
    rounds = _Rounds(node, model, variables(outer), states, [], collected, count)
    limit = tensor_of(node.value(0), out) if node.has(0) else out.tape.constant(np.int32(np.iinfo(np.int32).max))
    begins = tensor_of(node.value(1), out) if node.has(1) else out.tape.constant(np.array(True))
    _while(rounds, limit, begins, out)


@lowers("Scan")
def scan(node: HubNode, out: FlatGraph) -> None:
    """WHILE over the slices, unless its rounds were few and written out."""
    body = node.node.attributes["body"].as_graph()
    number = node.integer("num_scan_inputs", 0)
    first = node.input_count - number
    axes = node.integers("scan_input_axes", (0,) * number)
    ways = node.integers("scan_input_directions", (0,) * number)
    scanned = [
        (node.value(first + place), axis % node.rank(first + place), bool(way))
        for place, (axis, way) in enumerate(zip(axes, ways, strict=True))
    ]
    results = range(first, node.output_count)
    output_axes = node.integers("scan_output_axes", (0,) * len(results))
    output_ways = node.integers("scan_output_directions", (0,) * len(results))
    shapes = [node.output_shape(index) for index in results]
    collected = [
        (shape, axis % len(shape), bool(way)) for shape, axis, way in zip(shapes, output_axes, output_ways, strict=True)
    ]
    states = [node.value(index) for index in range(first)]
    kinds = [*map(type_of, states), *(_slice_type(value, axis) for value, axis, _ in scanned)]
    outer = captured(body)
    count = node.shape(first)[scanned[0][1]]
    rounds = _Rounds(node, body_of(node, "body", kinds, outer), variables(outer), states, scanned, collected, count)
    _while(rounds, out.tape.constant(np.int32(count)), out.tape.constant(np.array(True)), out)


def _slice_type(value: ir.Value, axis: int) -> onnx.TypeProto:
    kind = type_of(value)
    del kind.tensor_type.shape.dim[axis]
    return kind


def _while(rounds: _Rounds, limit: FlatTensor, begins: FlatTensor, out: FlatGraph) -> None:
    """The variables: the round, whether to go on, the number of rounds, states, values from outside, what is collected."""
    tape, node = out.tape, rounds.node
    inputs = [
        tape.constant(np.array(0, np.int32), name="first_round"),
        tape.reshape(begins, ()),
        tape.reshape(limit, ()),
        *(tensor_of(value, out) for value in rounds.states),
        *(tensor_of(value, out) for value in rounds.outer),
        *(tensor_of(value, out) for value, _, _ in rounds.scanned),
        *_buffers(rounds, out),
    ]
    subgraphs = {
        "condSubgraphIndex": _condition(inputs),
        "bodySubgraphIndex": _round(rounds, inputs, out.unroll_steps),
    }
    outputs = like(inputs, tape)
    tape.add_control("WHILE", inputs, outputs, options("WhileOptions"), subgraphs)
    for index in range(len(rounds.states)):
        out.bind(node, outputs[3 + index], None, index)
    for index, (shape, axis, _) in enumerate(rounds.collected):
        buffer = outputs[len(outputs) - len(rounds.collected) + index]
        order = (*range(1, axis + 1), 0, *range(axis + 1, len(shape)))
        out.bind(node, tape.transpose(buffer, order), None, len(rounds.states) + index)


def _buffers(rounds: _Rounds, out: FlatGraph) -> list[FlatTensor]:
    """Zeros for what is collected, with the round as first axis."""
    found = []
    for index, (shape, axis, _) in enumerate(rounds.collected):
        sizes = (shape[axis], *shape[:axis], *shape[axis + 1 :])
        dtype = physical_dtype(hub_dtype(rounds.node.output(len(rounds.states) + index)))
        dims = out.tape.constant(np.array(sizes, np.int32), name="shape")
        found.append(
            out.tape.add("FILL", (dims, out.tape.constant(np.zeros((), dtype))), out.tape.temporary(sizes, dtype))
        )
    return found


def _condition(inputs: list[FlatTensor]) -> FlatModel:
    tape = Tape()
    given = like(inputs, tape)
    left = tape.compute("LESS", given[0], given[2], dtype=np.bool_)
    return FlatModel(tuple(given), (tape.compute("LOGICAL_AND", left, given[1]),), tuple(tape.ops))


def _round(rounds: _Rounds, inputs: list[FlatTensor], unroll_steps: int) -> FlatModel:
    tape = Tape()
    given = like(inputs, tape)
    states, outer = 3 + len(rounds.states), 3 + len(rounds.states) + len(rounds.outer)
    buffers = len(given) - len(rounds.collected)
    slices = [
        _slice(tape, tensor, given[0], axis, rounds.count if backward else None)
        for tensor, (_, axis, backward) in zip(given[outer:buffers], rounds.scanned, strict=True)
    ]
    lead = given[:2] if rounds.is_loop else []
    made = rounds.body.write(tape, [*lead, *given[3:states], *slices, *given[states:outer]], unroll_steps)
    goes_on = tape.reshape(made.pop(0), ()) if rounds.is_loop else given[1]
    following = tape.compute(
        "ADD", given[0], tape.constant(np.array(1, np.int32)), builtin_options=options("AddOptions")
    )
    updated = [
        _updated(tape, buffer, value, given[0], backward)
        for buffer, value, (_, _, backward) in zip(
            given[buffers:], made[len(rounds.states) :], rounds.collected, strict=True
        )
    ]
    results = [following, goes_on, given[2], *made[: len(rounds.states)], *given[states:buffers], *updated]
    return FlatModel(tuple(given), tuple(own(results, given, tape)), tuple(tape.ops))


def _slice(tape: Tape, tensor: FlatTensor, place: FlatTensor, axis: int, count: int | None) -> FlatTensor:
    if count is not None:
        place = _from_end(tape, place, count)
    shape = (*tensor.shape[:axis], *tensor.shape[axis + 1 :])
    output = tape.temporary(shape, tensor.dtype)
    return tape.add("GATHER", (tensor, place), output, options("GatherOptions", axis=axis))


def _from_end(tape: Tape, place: FlatTensor, count: int) -> FlatTensor:
    last = tape.constant(np.array(count - 1, np.int32))
    return tape.compute("SUB", last, place, builtin_options=options("SubOptions"))


def _updated(tape: Tape, buffer: FlatTensor, value: FlatTensor, place: FlatTensor, backward: bool) -> FlatTensor:
    """``buffer`` with one row replaced."""
    row = _from_end(tape, place, buffer.shape[0]) if backward else place
    unit = np.array([1, *[0] * (buffer.rank - 1)], np.int32)
    start = tape.compute("MUL", row, tape.constant(unit), shape=unit.shape, builtin_options=options("MulOptions"))
    update = tape.reshape(value, (1, *buffer.shape[1:]))
    return tape.add("DYNAMIC_UPDATE_SLICE", (buffer, update, start), tape.temporary(buffer.shape, buffer.dtype))
