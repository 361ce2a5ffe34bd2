"""Gather and scatter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.quant_plan import Execution
from edgekit_converters.writers.tflite.axes import normalized, replaced
from edgekit_converters.writers.tflite.data_movement import gather_from_flat, take
from edgekit_converters.writers.tflite.flat_model import FlatTensor, Shape, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import identity, permuted
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import read_movable
from edgekit_converters.writers.tflite.sharing import require_shared_encoding
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape


@lowers("Gather", int8=True)
def gather(node: HubNode, out: FlatGraph) -> None:
    """Rows of an int8 embedding are scaled behind the GATHER. It refuses negative indices: constant ones are counted from the
    front, computed ones taken modulo the size. A few runs of constant ones are slices."""
    if out.execution(node) is Execution.WEIGHT_ONLY and out.weights(node, 0).is_integer:
        _look_up(node, out)
        return
    require_shared_encoding(node, out)
    layout = out.layout(node)
    axis = normalized(node.integer("axis", 0), node.rank())
    target = replaced(layout, axis, node.rank(1))
    indices = _indices(node, out, node.shape()[axis])
    if indices.data is not None and indices.rank < 2:
        taken = take(out.tape, read_movable(node, out, 0, layout), indices.data.reshape(-1), layout.index(axis))
        out.bind(node, out.tape.reshape(taken, permuted(node.output_shape(), target)), target)
        return
    table = options("GatherOptions", axis=layout.index(axis))
    out.tape.add("GATHER", (read_movable(node, out, 0, layout), indices), out.output(node, target), table)


def _look_up(node: HubNode, out: FlatGraph) -> None:
    """Rows of an int8 embedding, made float afterwards: its columns have scales of their own."""
    table, tape = out.weights(node, 0), out.tape
    assert table.params is not None
    indices = _indices(node, out, table.shape[0])
    stored = tape.constant(table.array, name=table.name)
    rows = tape.temporary(node.output_shape(), np.int8)
    tape.add("GATHER", (stored, indices), rows, options("GatherOptions", axis=0))
    scale = tape.constant(table.params.scale, name=f"{table.name}/scale")
    tape.add("MUL", (tape.cast(rows, np.float32), scale), out.output(node))


@lowers("GatherElements")
def gather_elements(node: HubNode, out: FlatGraph) -> None:
    """By position in memory: every element's own place, with the index in the place of one coordinate."""
    shape = node.shape()
    axis = normalized(node.integer("axis", 0), len(shape))
    positions = _element_positions(node, out, shape, axis)
    data = read_movable(node, out, 0, identity(len(shape)))
    out.bind(node, gather_from_flat(out.tape, data, positions, node.output_shape()))


@lowers("GatherND")
def gather_nd(node: HubNode, out: FlatGraph) -> None:
    """A GATHER of rows: the leading axes that the indices address are one axis of rows."""
    tape, shape, batch = out.tape, node.shape(), node.integer("batch_dims", 0)
    depth = node.shape(1)[-1]
    head, tail = shape[: batch + depth], shape[batch + depth :]
    rows = tape.reshape(read_movable(node, out, 0, identity(len(shape))), (math.prod(head), *tail))
    positions = _row_positions(node, out, head, batch)
    output = tape.temporary((*positions.shape, *tail), rows.dtype, rows.params)
    tape.add("GATHER", (rows, positions), output, options("GatherOptions", axis=0))
    out.bind(node, tape.reshape(output, node.output_shape()))


@lowers("ScatterND")
def scatter_nd(node: HubNode, out: FlatGraph) -> None:
    """SCATTER_ND writes into zeros, so a second one marks what was written; the rest keeps its numbers."""
    depth = node.shape(1)[-1]
    head, tail = node.shape()[:depth], node.shape()[depth:]
    rows = _row_positions(node, out, head, 0)
    updates = out.tape.reshape(
        read_movable(node, out, 2, identity(node.rank(2)), ("int16",)), (math.prod(rows.shape), *tail)
    )
    _scatter(node, out, rows, updates, (math.prod(head), *tail))


@lowers("ScatterElements")
def scatter_elements(node: HubNode, out: FlatGraph) -> None:
    """As `scatter_nd`, with the positions of single elements in memory."""
    shape = node.shape()
    positions = _element_positions(node, out, shape, normalized(node.integer("axis", 0), len(shape)))
    updates = out.tape.reshape(
        read_movable(node, out, 2, identity(node.rank(2)), ("int16",)), (math.prod(positions.shape),)
    )
    _scatter(node, out, positions, updates, (math.prod(shape),))


def _scatter(node: HubNode, out: FlatGraph, positions: FlatTensor, updates: FlatTensor, flat: Shape) -> None:
    tape, reduction = out.tape, node.text("reduction", "none")
    if reduction not in ("none", "add"):
        raise node.unsupported(f"the reduction {reduction!r} has no kernel; only none and add do")
    data = tape.reshape(read_movable(node, out, 0, identity(node.rank())), flat)
    rows = tape.reshape(positions, (math.prod(positions.shape), 1))
    written = _scattered(tape, rows, updates, flat)
    if reduction == "add":
        result = tape.compute("ADD", data, written, builtin_options=options("AddOptions"))
    else:
        ones = tape.constant(np.ones((rows.shape[0], *(1,) * (len(flat) - 1)), np.int32))
        marks = _scattered(tape, rows, ones, (flat[0], *(1,) * (len(flat) - 1)))
        touched = tape.compute("GREATER", marks, tape.constant(np.int32(0)), dtype=np.bool_)
        result = tape.temporary(flat, data.dtype, data.params)
        tape.add("SELECT_V2", (touched, written, data), result, options("SelectV2Options"))
    out.bind(node, tape.reshape(result, node.output_shape()))


def _scattered(tape: Tape, rows: FlatTensor, updates: FlatTensor, shape: Shape) -> FlatTensor:
    sizes = tape.constant(np.array(shape, np.int32), name="shape")
    output = tape.temporary(shape, updates.dtype, updates.params)
    return tape.add("SCATTER_ND", (rows, updates, sizes), output, options("ScatterNdOptions"))


def _indices(node: HubNode, out: FlatGraph, size: int) -> FlatTensor:
    """Input 1 as int32 from 0 to size - 1, in logical order."""
    constant = node.constant(1)
    if constant is not None:
        return out.tape.constant(np.where(constant < 0, constant + size, constant).astype(np.int32), name="indices")
    computed = out.tape.cast(out.read(node, 1, identity(node.rank(1))), np.int32)
    return _modulo(out.tape, computed, np.array(size, np.int32))


def _modulo(tape: Tape, tensor: FlatTensor, size: NDArray[np.int32]) -> FlatTensor:
    return tape.compute("FLOOR_MOD", tensor, tape.constant(size), builtin_options=options("FloorModOptions"))


def _element_positions(node: HubNode, out: FlatGraph, shape: Shape, axis: int) -> FlatTensor:
    """Place in memory of the element that each index names, in the shape of the indices."""
    tape, indices = out.tape, _indices(node, out, shape[axis])
    strides = _strides(shape)
    coordinates = np.indices(indices.shape)
    own = sum((coordinates[other] * strides[other] for other in range(len(shape)) if other != axis), np.array(0))
    base = np.broadcast_to(own, indices.shape).astype(np.int32)
    if indices.data is not None:
        return tape.constant(base + indices.data * np.int32(strides[axis]))
    scaled = tape.compute("MUL", indices, tape.constant(np.int32(strides[axis])), builtin_options=options("MulOptions"))
    return tape.compute("ADD", scaled, tape.constant(base), builtin_options=options("AddOptions"))


def _row_positions(node: HubNode, out: FlatGraph, head: Shape, batch: int) -> FlatTensor:
    """Row of each index tuple when the axes ``head`` are one; shape of the indices without their last axis."""
    tape = out.tape
    shape, strides = node.shape(1)[:-1], np.array(_strides(head)[batch:], np.int32)
    coordinates = np.indices(shape)
    base = sum((coordinates[axis] * _strides(head)[axis] for axis in range(batch)), np.zeros(shape, np.int64))
    sizes = np.array(head[batch:], np.int32)
    constant = node.constant(1)
    if constant is not None:
        wrapped = np.where(constant < 0, constant + sizes, constant)
        return tape.constant(((wrapped * strides).sum(axis=-1) + base).astype(np.int32), name="rows")
    computed = _modulo(tape, tape.cast(out.read(node, 1, identity(node.rank(1))), np.int32), sizes)
    scaled = tape.compute("MUL", computed, tape.constant(strides), builtin_options=options("MulOptions"))
    last = tape.constant(np.array([len(shape)], np.int32), name="axes")
    total = tape.compute("SUM", scaled, last, builtin_options=options("ReducerOptions", keepDims=False), shape=shape)
    return tape.compute("ADD", total, tape.constant(base.astype(np.int32)), builtin_options=options("AddOptions"))


def _strides(shape: Shape) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


@lowers("OneHot")
def one_hot(node: HubNode, out: FlatGraph) -> None:
    """ONE_HOT; indices from -depth to -1 count from the end, others outside stay off in both."""
    tape = out.tape
    depth = int(node.required_constant(1, "depth").reshape(-1)[0])
    off_on = node.required_constant(2, "pair of values")
    raw = tape.cast(out.read(node, 0, identity(node.rank())), np.int32)
    negative = tape.compute("LESS", raw, tape.constant(np.int32(0)), dtype=np.bool_)
    from_end = tape.compute("ADD", raw, tape.constant(np.int32(depth)), builtin_options=options("AddOptions"))
    indices = tape.temporary(raw.shape, np.int32)
    tape.add("SELECT_V2", (negative, from_end, raw), indices, options("SelectV2Options"))
    scalars = [tape.constant(np.array(number)) for number in (np.int32(depth), off_on[1], off_on[0])]
    axis = normalized(node.integer("axis", -1), node.rank() + 1)
    out.tape.add("ONE_HOT", (indices, *scalars), out.output(node), options("OneHotOptions", axis=axis))
