"""Reductions over axes: sums, means, extremes, norms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgekit_converters.writers.tflite.axes import normalized, physical, without
from edgekit_converters.writers.tflite.flat_model import FlatTensor, Shape, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.plain_integers import emit, read_computable
from edgekit_converters.writers.tflite.sharing import require_shared_encoding
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.tape import Tape

_BUILTINS = {
    "ReduceMean": "MEAN",
    "ReduceSum": "SUM",
    "ReduceMax": "REDUCE_MAX",
    "ReduceMin": "REDUCE_MIN",
    "ReduceProd": "REDUCE_PROD",
}
_MASK_BUILTINS = {"ReduceMax": "REDUCE_ANY", "ReduceMin": "REDUCE_ALL"}


@lowers("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", int8=True)
def reduce_int8(node: HubNode, out: FlatGraph) -> None:
    """MEAN and SUM rescale to the output's encoding; the extremes need the input's."""
    if node.op in ("ReduceMax", "ReduceMin"):
        require_shared_encoding(node, out)
    _reduce(node, out)


@lowers("ReduceProd")
def reduce_product(node: HubNode, out: FlatGraph) -> None:
    _reduce(node, out)


def _reduce(node: HubNode, out: FlatGraph) -> None:
    axes = _axes(node)
    if not axes:
        out.alias(node)
        return
    layout = out.layout(node)
    if node.op in _MASK_BUILTINS and node.dtype() == np.bool_:
        _emit_reduction(node, out, _MASK_BUILTINS[node.op], out.read(node, 0), layout, axes)
    else:
        _emit_reduction(node, out, _BUILTINS[node.op], _reducible(node, out), layout, axes)


@lowers("ReduceL1")
def norm_1(node: HubNode, out: FlatGraph) -> None:
    _reduce_after(node, out, lambda tape, x: tape.compute("ABS", x))


@lowers("ReduceSumSquare")
def sum_of_squares(node: HubNode, out: FlatGraph) -> None:
    _reduce_after(node, out, _squared)


@lowers("ReduceL2")
def norm_2(node: HubNode, out: FlatGraph) -> None:
    _reduce_between(node, out, _squared, "SQRT")


@lowers("ReduceLogSum")
def log_of_sum(node: HubNode, out: FlatGraph) -> None:
    _reduce_between(node, out, lambda _, x: x, "LOG")


@lowers("ReduceLogSumExp")
def log_of_sum_of_exponentials(node: HubNode, out: FlatGraph) -> None:
    """log(sum(exp(x - m))) + m with the maximum m, so that nothing overflows."""
    tape, layout, axes = out.tape, out.layout(node), _axes(node)
    x = _float_input(node, out)
    if not axes:
        out.alias(node)
        return
    places = physical(axes, layout)
    highest = _reduced(tape, "REDUCE_MAX", x, places)
    shifted = tape.compute("EXP", tape.compute("SUB", x, highest, builtin_options=options("SubOptions")))
    logarithm = tape.compute("LOG", _reduced(tape, "SUM", shifted, places))
    total = tape.compute("ADD", logarithm, highest, builtin_options=options("AddOptions"))
    target = layout if _keeps_axes(node) else without(layout, axes)
    shape = tuple(node.output_shape()[axis] for axis in target)
    out.bind(node, tape.reshape(total, shape), target)


@lowers("GlobalLpPool")
def global_norm_pool(node: HubNode, out: FlatGraph) -> None:
    """(sum |x|^p)^(1/p) over the spatial axes."""
    tape, layout, p = out.tape, out.layout(node), node.integer("p", 2)
    places = physical(range(2, node.rank()), layout)
    size = tape.compute("ABS", read_computable(node, out, 0))
    powered = size if p == 1 else tape.compute("POW", size, tape.constant(float(p)))
    total = _reduced(tape, "SUM", powered, places)
    emit(node, out, "POW", (total, tape.constant(1.0 / p)), layout, options("PowOptions"))


def _reduce_after(node: HubNode, out: FlatGraph, before: Callable[[Tape, FlatTensor], FlatTensor]) -> None:
    axes, layout = _axes(node), out.layout(node)
    x = before(out.tape, _reducible(node, out))
    if axes:
        _emit_reduction(node, out, "SUM", x, layout, axes)
    else:
        out.bind(node, x, layout)


def _reduce_between(
    node: HubNode, out: FlatGraph, before: Callable[[Tape, FlatTensor], FlatTensor], after: str
) -> None:
    axes, layout = _axes(node), out.layout(node)
    x = before(out.tape, _float_input(node, out))
    target = layout if _keeps_axes(node) else without(layout, axes)
    total = _reduced(out.tape, "SUM", x, physical(axes, layout), _keeps_axes(node)) if axes else x
    emit(node, out, after, (total,), target)


def _squared(tape: Tape, x: FlatTensor) -> FlatTensor:
    return tape.compute("MUL", x, x, builtin_options=options("MulOptions"))


def _emit_reduction(
    node: HubNode, out: FlatGraph, builtin: str, x: FlatTensor, layout: Permutation, axes: tuple[int, ...]
) -> None:
    kept = _keeps_axes(node)
    target = layout if kept else without(layout, axes)
    places = out.tape.constant(np.array(physical(axes, layout), np.int32), name="axes")
    out.tape.add(builtin, (x, places), out.output(node, target), options("ReducerOptions", keepDims=kept))


def _reduced(tape: Tape, builtin: str, x: FlatTensor, places: list[int], kept: bool = True) -> FlatTensor:
    axes = tape.constant(np.array(places, np.int32), name="axes")
    table = options("ReducerOptions", keepDims=kept)
    return tape.compute(builtin, x, axes, builtin_options=table, shape=_reduced_shape(x.shape, places, kept))


def _reduced_shape(shape: Shape, places: list[int], kept: bool) -> Shape:
    if kept:
        return tuple(1 if axis in places else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in places)


def _axes(node: HubNode) -> tuple[int, ...]:
    """The reduced logical axes; empty when the node reduces nothing."""
    if math.prod(node.shape()) == 0:
        raise node.unsupported("it reduces an empty tensor, for which TFLite has no kernel")
    given = node.required_constant(1, "list of axes") if node.has(1) else np.array([], np.int64)
    if given.size == 0:
        return () if node.integer("noop_with_empty_axes", 0) else tuple(range(node.rank()))
    return tuple(sorted({normalized(int(axis), node.rank()) for axis in given.reshape(-1)}))


def _keeps_axes(node: HubNode) -> bool:
    return bool(node.integer("keepdims", 1))


def _reducible(node: HubNode, out: FlatGraph) -> FlatTensor:
    x = read_computable(node, out, 0)
    if x.dtype == np.bool_:
        raise node.unsupported("TFLite has no reduction of this kind on masks; cast the input to float32 or int32")
    if node.dtype() not in (np.float32, np.int32, np.int64):
        raise node.unsupported(f"its result would need more than the {node.dtype().name} that TFLite gives it")
    return x


def _float_input(node: HubNode, out: FlatGraph) -> FlatTensor:
    x = read_computable(node, out, 0)
    if not x.is_float:
        raise node.unsupported(f"TFLite computes it on float32, not on {x.dtype.name}; cast the input")
    return x
