"""Positions and order: arg-max, top-k, cumulative sums."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.axes import normalized, without
from edgekit_converters.writers.tflite.flat_model import FlatTensor, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import axis_last, permuted
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import emit, read_computable
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape

_BUILTINS = {"ArgMax": "ARG_MAX", "ArgMin": "ARG_MIN"}
_INT32 = 2  # the schema's TensorType.INT32


@lowers("ArgMax", "ArgMin")
def arg_extreme(node: HubNode, out: FlatGraph) -> None:
    """The builtins give the first of equals; the last is found in the reversed tensor."""
    tape, layout = out.tape, out.layout(node)
    axis = normalized(node.integer("axis", 0), node.rank())
    place = layout.index(axis)
    last = bool(node.integer("select_last_index", 0))
    x = read_computable(node, out, 0)
    found = _position(tape, node.op, _reversed(tape, x, place) if last else x, place)
    if last:
        found = tape.compute(
            "SUB", tape.constant(np.int32(x.shape[place] - 1)), found, builtin_options=options("SubOptions")
        )
    target = layout if node.integer("keepdims", 1) else without(layout, (axis,))
    out.bind(node, tape.reshape(found, permuted(node.output_shape(), target)), target)


def _position(tape: Tape, op: str, x: FlatTensor, place: int) -> FlatTensor:
    table = options(f"{op}Options", outputType=_INT32)
    shape = (*x.shape[:place], *x.shape[place + 1 :])
    axis = tape.constant(np.array([place], np.int32), name="axis")
    return tape.compute(_BUILTINS[op], x, axis, builtin_options=table, shape=shape, dtype=np.int32)


def _reversed(tape: Tape, x: FlatTensor, place: int) -> FlatTensor:
    axis = tape.constant(np.array([place], np.int32), name="axis")
    return tape.compute("REVERSE_V2", x, axis, builtin_options=options("ReverseV2Options"), shape=x.shape)


@lowers("TopK")
def top_k(node: HubNode, out: FlatGraph) -> None:
    """TOPK_V2 on the last axis, always sorted; the smallest are the largest of the negated numbers."""
    tape, count = out.tape, int(node.required_constant(1, "number of results").reshape(-1)[0])
    layout = axis_last(out.layout(node), normalized(node.integer("axis", -1), node.rank()))
    x = read_computable(node, out, 0, layout)
    smallest = not node.integer("largest", 1)
    searched = tape.compute("NEG", x) if smallest else x
    shape = (*x.shape[:-1], count)
    values, indices = tape.temporary(shape, x.dtype), tape.temporary(shape, np.int32)
    wanted = tape.constant(np.array(count, np.int32), name="k")
    tape.add_many("TOPK_V2", (searched, wanted), (values, indices), options("TopKV2Options"))
    narrow = tape.cast(tape.compute("NEG", values) if smallest else values, out.read(node, 0).dtype)
    out.bind(node, narrow, layout)
    out.bind(node, indices, layout, 1)


@lowers("CumSum")
def cumulative_sum(node: HubNode, out: FlatGraph) -> None:
    layout = out.layout(node)
    axis = normalized(int(node.required_constant(1, "axis").reshape(-1)[0]), node.rank())
    place = out.tape.constant(np.array(layout.index(axis), np.int32), name="axis")
    table = options(
        "CumsumOptions", exclusive=bool(node.integer("exclusive", 0)), reverse=bool(node.integer("reverse", 0))
    )
    emit(node, out, "CUMSUM", (read_computable(node, out, 0), place), layout, table)
