"""Ops on a value that is held in any order of axes: a Transpose before them moves no data, so they must remap their axes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnxruntime_twin import assert_equal_outputs, floats

from edgekit_converters.hub.build import GraphBuilder

Draw = Callable[[st.SearchStrategy[int]], int]
Op = Callable[[GraphBuilder, ir.Value, tuple[int, ...], Draw], ir.Value]


def constant(graph: GraphBuilder, *numbers: int) -> ir.Value:
    return graph.constant(np.array(numbers, np.int64))


def any_axis(shape: tuple[int, ...], draw: Draw) -> int:
    return draw(st.integers(-len(shape), len(shape) - 1))


def sliced(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    axis, step = any_axis(shape, draw), draw(st.sampled_from([-2, -1, 1, 2]))
    size = shape[axis]
    start = draw(st.integers(0, size - 1))
    stop = draw(st.integers(start + 1, size + 3)) if step > 0 else draw(st.integers(-size - 3, start - 1 - size))
    stop = stop if step > 0 else min(stop, start - size - 1)
    return graph.op("Slice", x, *(constant(graph, number) for number in (start, stop, axis, step)))


def padded(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    mode = draw(st.sampled_from(["constant", "reflect", "edge", "wrap"]))
    pads = [draw(st.integers(0, max(shape[axis % len(shape)] - 1, 0))) for axis in range(2 * len(shape))]
    return graph.op("Pad", x, constant(graph, *pads), mode=mode)


def reduced(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    op = draw(st.sampled_from(["ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2", "ReduceLogSumExp"]))
    axes = {any_axis(shape, draw) % len(shape), any_axis(shape, draw) % len(shape)}
    return graph.op(op, x, constant(graph, *axes), keepdims=draw(st.integers(0, 1)))


def broadcast(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    kept = draw(st.integers(1, len(shape)))
    other = [size if draw(st.booleans()) else 1 for size in shape[-kept:]]
    return graph.op(draw(st.sampled_from(["Add", "Mul", "Sub", "Max"])), x, graph.constant(floats(*other, seed=3)))


def with_itself(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    """Both layouts of one value meet: the transposed one and its smaller reduction."""
    axis = constant(graph, any_axis(shape, draw))
    return graph.op("Sub", x, graph.op("ReduceMax", x, axis, keepdims=1))


def joined(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    axis = any_axis(shape, draw)
    return graph.op("Concat", x, graph.op("Neg", x), graph.constant(floats(*shape, seed=2)), axis=axis)


def gathered(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    axis = any_axis(shape, draw)
    count = draw(st.integers(1, 8))
    indices = [draw(st.integers(-shape[axis], shape[axis] - 1)) for _ in range(count)]
    array = np.array(indices, np.int64)
    return graph.op("Gather", x, graph.constant(array.reshape(2, -1) if count % 2 == 0 else array), axis=axis)


def positioned(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    found = graph.op("ArgMax", x, axis=any_axis(shape, draw), keepdims=draw(st.integers(0, 1)))
    return graph.op("Cast", found, to=1)


def summed_up(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    axis = graph.constant(np.array(any_axis(shape, draw), np.int64))
    return graph.op("CumSum", x, axis, reverse=draw(st.integers(0, 1)))


def flattened(graph: GraphBuilder, x: ir.Value, shape: tuple[int, ...], draw: Draw) -> ir.Value:
    return graph.op("Flatten", x, axis=draw(st.integers(0, len(shape))))


OPS = (sliced, padded, reduced, broadcast, with_itself, joined, gathered, positioned, summed_up, flattened)


@pytest.mark.parametrize("op", OPS)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_op_after_a_transpose_answers_as_onnxruntime(op: Op, data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=2, max_size=5)))
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    graph = GraphBuilder()
    turned = graph.op("Transpose", graph.op("Abs", graph.input("x", "float32", shape)), perm=order)
    result = op(graph, turned, tuple(shape[axis] for axis in order), data.draw)
    graph.output(graph.op("Exp", graph.op("Mul", result, graph.constant(0.1))), "y")
    with tempfile.TemporaryDirectory() as folder:
        assert_equal_outputs(graph.build("test"), {"x": floats(*shape)}, Path(folder), tolerance=2e-4)
