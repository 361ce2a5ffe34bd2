"""Normalizations in float TFLite files against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, fixed, floats, op_names

from edgekit.errors import UnsupportedOpError
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

X = floats(2, 6, 4, 5)


def vector(count: int, low: float = -1.0, seed: int = 1) -> object:
    return fixed(floats(count, low=low, high=2.0, seed=seed), "float32")


CASES = [
    case("BatchNormalization", X, vector(6), vector(6), vector(6), vector(6, low=0.1)),
    case("BatchNormalization", floats(3, 6), vector(6), vector(6), vector(6), vector(6, low=0.1), epsilon=1e-3),
    case("BatchNormalization", X, floats(6), floats(6), floats(6), floats(6, low=0.1)),
    case("InstanceNormalization", X, vector(6), vector(6)),
    case("InstanceNormalization", floats(2, 6, 9), vector(6), vector(6), epsilon=1e-2),
    case("LayerNormalization", X, vector(5), vector(5)),
    case("LayerNormalization", X, fixed(floats(4, 5), "float32"), axis=2),
    case("LayerNormalization", floats(3, 8), vector(8), outputs=3),
    case("LayerNormalization", floats(2, 5, 8), vector(8), vector(8), axis=-1, epsilon=1e-12),
    case("GroupNormalization", X, vector(6), vector(6), num_groups=2),
    case("GroupNormalization", floats(2, 6, 7), vector(6), vector(6), num_groups=3),
    case("MeanVarianceNormalization", X),
    case("MeanVarianceNormalization", X, axes=[1, 3]),
    case("LpNormalization", X, axis=1, p=2),
    case("LpNormalization", X, axis=-1, p=1),
    case("LRN", X, size=3),
    case("LRN", X, size=5, alpha=2e-3, beta=0.5, bias=2.0),
]


@pytest.mark.parametrize("sample", CASES, ids=str)
def test_a_normalization_answers_as_in_onnxruntime(sample: Case, tmp_path: Path) -> None:
    assert_equal_outputs(*sample.hub(), tmp_path, tolerance=2e-5)


@pytest.mark.parametrize("op", ["BatchNormalization", "InstanceNormalization", "GroupNormalization"])
def test_a_normalization_between_poolings_keeps_their_layout(op: str, tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (1, 8, 8, 6))
    pooled = graph.op("MaxPool", graph.op("Transpose", x, perm=[0, 3, 1, 2]), kernel_shape=[2, 2])
    statistics = 4 if op == "BatchNormalization" else 2
    vectors = [graph.constant(floats(6, low=0.5, seed=index)) for index in range(statistics)]
    attributes = {"num_groups": 3} if op == "GroupNormalization" else {}
    pooled = graph.op("MaxPool", graph.op(op, pooled, *vectors, **attributes), kernel_shape=[2, 2])
    graph.output(graph.op("Transpose", pooled, perm=[0, 2, 3, 1]), "y")
    assert_equal_outputs(graph.build("test"), {"x": floats(1, 8, 8, 6)}, tmp_path)
    assert "TRANSPOSE" not in op_names(tmp_path / "model.tflite")


def test_a_window_that_reaches_further_to_one_side_is_refused(tmp_path: Path) -> None:
    hub, _ = case("LRN", X, size=4).hub()
    with pytest.raises(UnsupportedOpError, match="size is 4"):
        write_tflite(hub, QuantPlan(Precision.FLOAT32), tmp_path / "model.tflite", TfliteOptions())
