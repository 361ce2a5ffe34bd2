"""Dense layers and matrix products in float TFLite files against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, fixed, floats, op_names

from edgekit_converters.hub.build import GraphBuilder


def weights(*shape: int) -> object:
    return fixed(floats(*shape, low=-1, high=1, seed=1), "float32")


CASES = [
    case("Gemm", floats(3, 5), weights(5, 4), weights(4)),
    case("Gemm", floats(3, 5), weights(4, 5), weights(1, 4), transB=1),
    case("Gemm", floats(3, 5), weights(5, 4)),
    case("Gemm", floats(3, 5), weights(5, 4), weights(1)),
    case("Gemm", floats(3, 5), weights(5, 4), weights(4), alpha=0.5, beta=2.0),
    case("Gemm", floats(3, 5), weights(5, 4), weights(3, 4), beta=0.5),
    case("Gemm", floats(3, 5), weights(5, 4), weights(3, 1)),
    case("Gemm", floats(5, 3), weights(5, 4), weights(4), transA=1),
    case("Gemm", floats(3, 5), floats(4, 5), floats(4), transB=1, alpha=0.5),
    case("MatMul", floats(3, 5), weights(5, 4)),
    case("MatMul", floats(2, 3, 5), weights(5, 4)),
    case("MatMul", floats(2, 3, 6, 5), weights(5, 4)),
    case("MatMul", floats(5), weights(5, 4)),
    case("MatMul", floats(2, 3, 5), weights(5)),
    case("MatMul", floats(5), floats(5)),
    case("MatMul", floats(3, 5), floats(5, 4)),
    case("MatMul", floats(2, 3, 5), floats(2, 5, 4)),
    case("MatMul", floats(2, 1, 3, 5), floats(4, 5, 6)),
    case("MatMul", floats(2, 3, 5), weights(2, 5, 4)),
    case("MatMul", weights(3, 5), floats(2, 5, 4)),
]


@pytest.mark.parametrize("sample", CASES, ids=str)
def test_a_product_answers_as_in_onnxruntime(sample: Case, tmp_path: Path) -> None:
    assert_equal_outputs(*sample.hub(), tmp_path)


@pytest.mark.parametrize("flatten", ["Flatten", "Reshape"])
def test_the_transposition_of_a_flatten_goes_into_the_weights(flatten: str, tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (1, 2, 5, 6))
    pooled = graph.op("MaxPool", graph.op("Transpose", x, perm=[0, 3, 1, 2]), kernel_shape=[2, 2])
    target = [] if flatten == "Flatten" else [graph.constant(np.array([1, -1]))]
    flat = graph.op(flatten, pooled, *target)
    columns = flat.shape[1]
    graph.output(graph.op("Gemm", flat, graph.constant(floats(4, columns)), transB=1), "y")
    graph.output(graph.op("MatMul", flat, graph.constant(floats(columns, 3))), "z")
    assert_equal_outputs(graph.build("test"), {"x": floats(1, 2, 5, 6)}, tmp_path)
    assert "TRANSPOSE" not in op_names(tmp_path / "model.tflite")


def test_a_flatten_that_is_also_an_output_keeps_the_logical_order(tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (1, 3, 5, 5))
    flat = graph.op("Flatten", graph.op("MaxPool", x, kernel_shape=[2, 2]))
    graph.output(graph.op("Gemm", flat, graph.constant(floats(4, 48)), transB=1), "y")
    graph.output(graph.op("Relu", flat), "z")
    assert_equal_outputs(graph.build("test"), {"x": floats(1, 3, 5, 5)}, tmp_path)


def test_keys_that_lie_transposed_in_memory_need_no_transposition(tmp_path: Path) -> None:
    graph = GraphBuilder()
    queries, keys = (graph.input(name, "float32", (1, 2, 4, 8)) for name in ("q", "k"))
    swapped = graph.op("Transpose", graph.op("Relu", keys), perm=[0, 1, 3, 2])
    graph.output(graph.op("MatMul", queries, swapped), "scores")
    assert_equal_outputs(graph.build("test"), {"q": floats(1, 2, 4, 8), "k": floats(1, 2, 4, 8, seed=1)}, tmp_path)
    assert "TRANSPOSE" not in op_names(tmp_path / "model.tflite")


@pytest.mark.parametrize("constant_first", [True, False])
def test_a_sum_with_a_constant_row_becomes_the_bias(constant_first: bool, tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (2, 3, 8))
    product = graph.op("MatMul", x, graph.constant(floats(8, 5)))
    row = graph.constant(floats(5))
    graph.output(graph.op("Add", *((row, product) if constant_first else (product, row))), "y")
    assert_equal_outputs(graph.build("test"), {"x": floats(2, 3, 8)}, tmp_path)
    assert "ADD" not in op_names(tmp_path / "model.tflite")


def test_a_product_that_is_read_twice_keeps_its_sum(tmp_path: Path) -> None:
    graph = GraphBuilder()
    product = graph.op("MatMul", graph.input("x", "float32", (2, 3, 8)), graph.constant(floats(8, 5)))
    graph.output(graph.op("Add", product, graph.constant(floats(5))), "y")
    graph.output(graph.op("Relu", product), "z")
    assert_equal_outputs(graph.build("test"), {"x": floats(2, 3, 8)}, tmp_path)
    assert "ADD" in op_names(tmp_path / "model.tflite")
