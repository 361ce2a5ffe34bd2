"""Poolings in float TFLite files against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnxruntime_twin import Case, assert_equal_outputs, case, floats, op_names

from edgekit.errors import UnsupportedOpError
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

CASES = [
    case("MaxPool", floats(1, 3, 8, 8), kernel_shape=[2, 2], strides=[2, 2]),
    case("MaxPool", floats(1, 3, 8, 8, high=-1.0), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("MaxPool", floats(1, 3, 9, 8), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    case("MaxPool", floats(1, 3, 8, 8), kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]),
    case("MaxPool", floats(1, 3, 8, 8), kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
    case("MaxPool", floats(2, 3, 9), kernel_shape=[3], strides=[2], pads=[1, 0]),
    case("MaxPool", floats(1, 2, 6, 7, 5), kernel_shape=[3, 2, 2], strides=[2, 1, 2], pads=[1, 0, 0, 1, 1, 1]),
    case("AveragePool", floats(1, 3, 8, 8), kernel_shape=[2, 2], strides=[2, 2]),
    case("AveragePool", floats(1, 3, 8, 8), kernel_shape=[8, 8]),
    case("AveragePool", floats(1, 3, 8, 8), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("AveragePool", floats(1, 3, 9, 9), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("AveragePool", floats(1, 3, 8, 8), kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    case("AveragePool", floats(1, 3, 8, 8), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    case(
        "AveragePool",
        floats(1, 3, 8, 8),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[0, 0, 1, 1],
        ceil_mode=1,
        count_include_pad=1,
    ),
    case("AveragePool", floats(1, 3, 8, 8), kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
    case("AveragePool", floats(1, 3, 9, 9), kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 1, 1, 1]),
    case("AveragePool", floats(2, 3, 9), kernel_shape=[3], strides=[2], pads=[1, 1]),
    case("AveragePool", floats(1, 2, 6, 6, 5), kernel_shape=[2, 2, 2], strides=[2, 2, 1]),
    case("AveragePool", floats(1, 2, 6, 6, 5), kernel_shape=[3, 3, 3], pads=[1] * 6),
    case("LpPool", floats(1, 3, 8, 8), kernel_shape=[2, 2], strides=[2, 2], p=2),
    case("LpPool", floats(1, 3, 8, 8), kernel_shape=[3, 3], pads=[1, 1, 1, 1], p=1),
    case("LpPool", floats(1, 3, 8), kernel_shape=[3], p=3),
    case("GlobalAveragePool", floats(2, 3, 5, 4)),
    case("GlobalAveragePool", floats(2, 3, 5)),
    case("GlobalAveragePool", floats(2, 3, 3, 4, 5)),
    case("GlobalMaxPool", floats(2, 3, 5, 4)),
    case("GlobalMaxPool", floats(2, 3, 5)),
]


@pytest.mark.parametrize("sample", CASES, ids=str)
def test_a_pooling_answers_as_in_onnxruntime(sample: Case, tmp_path: Path) -> None:
    assert_equal_outputs(*sample.hub(), tmp_path)


@st.composite
def poolings(draw: st.DrawFn) -> Case:
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    pads = [draw(st.integers(0, kernel - 1)) for _ in range(4)]
    size = draw(st.integers(kernel, 10))
    attributes = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": pads,
        "ceil_mode": draw(st.integers(0, 1)),
    }
    op = draw(st.sampled_from(["MaxPool", "AveragePool"]))
    if op == "AveragePool":
        attributes["count_include_pad"] = draw(st.integers(0, 1))
    return Case(op, (floats(1, 2, size, size),), attributes)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sample=poolings())
def test_any_stride_and_padding_answers_as_in_onnxruntime(sample: Case, tmp_path: Path) -> None:
    hub, feeds = sample.hub()
    kernel, pads = sample.attributes["kernel_shape"][0], sample.attributes["pads"]
    stride, size = sample.attributes["strides"][0], feeds["x0"].shape[2]
    # ONNX's shape inference and ONNX Runtime disagree on a window that starts beyond the end.
    last = [(output - 1) * stride for output in hub.outputs[0].shape[2:] if isinstance(output, int)]
    assume(all(start < size + before for start, before in zip(last, pads[:2], strict=True)))
    assume(kernel > max(pads))
    assert_equal_outputs(hub, feeds, tmp_path)


def test_a_max_pool_after_a_relu_is_padded_with_zeros(tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (1, 2, 8, 8))
    pooled = graph.op("MaxPool", graph.op("Relu", x), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    graph.output(pooled, "y")
    hub = graph.build("test")
    assert_equal_outputs(hub, {"x": floats(1, 2, 8, 8)}, tmp_path)
    names = op_names(tmp_path / "model.tflite")
    assert "PAD" in names
    assert "PADV2" not in names


def test_the_indices_of_a_max_pool_by_columns_are_refused(tmp_path: Path) -> None:
    hub, _ = case("MaxPool", floats(1, 2, 8, 8), kernel_shape=[2, 2], storage_order=1, outputs=2).hub()
    with pytest.raises(UnsupportedOpError, match="indices"):
        write_tflite(hub, QuantPlan(Precision.FLOAT32), tmp_path / "model.tflite", TfliteOptions())


def test_an_average_over_everything_is_a_mean(tmp_path: Path) -> None:
    hub, feeds = case("AveragePool", np.ones((1, 3, 4, 4), np.float32), kernel_shape=[4, 4]).hub()
    assert_equal_outputs(hub, feeds, tmp_path)
    assert "MEAN" in op_names(tmp_path / "model.tflite")
