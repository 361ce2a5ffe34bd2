"""Operators that TFLite has no kernel for, spelled in others, against ONNX Runtime."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, fixed, floats, integers

QUANTIZED = [
    case("QuantizeLinear", floats(2, 3, 4), fixed(0.05, "float32"), fixed(3, "int8")),
    case("QuantizeLinear", floats(2, 3, 4), fixed([0.1, 0.2, 0.3], "float32"), fixed([1, 2, 3], "uint8"), axis=1),
    case("DequantizeLinear", integers(2, 3, dtype="int8"), fixed(0.1, "float32"), fixed(2, "int8")),
    case("DequantizeLinear", integers(2, 3, dtype="int8"), fixed([0.1, 0.2, 0.3], "float32"), axis=1),
    case("MatMulInteger", integers(2, 3, dtype="int8"), fixed(integers(3, 4), "int8"), fixed(2, "int8")),
    case("MatMulInteger", integers(2, 700, low=0, high=255, dtype="uint8"), fixed(integers(700, 4), "uint8")),
    case("ConvInteger", integers(1, 2, 5, 5, low=0, dtype="uint8"), fixed(integers(3, 2, 3, 3, low=0), "uint8")),
    case(
        "QLinearMatMul",
        integers(4, 3, low=0, high=255, dtype="uint8"),
        fixed(0.02, "float32"),
        fixed(113, "uint8"),
        fixed(integers(3, 5, low=-100, high=100), "int8"),
        fixed(0.01, "float32"),
        fixed(0, "int8"),
        fixed(0.03, "float32"),
        fixed(118, "uint8"),
    ),
    case(
        "QLinearConv",
        integers(1, 2, 6, 6, low=0, high=255, dtype="uint8"),
        fixed(0.02, "float32"),
        fixed(128, "uint8"),
        fixed(integers(3, 2, 3, 3, low=-100, high=100), "int8"),
        fixed([0.01, 0.02, 0.03], "float32"),
        fixed([0, 0, 0], "int8"),
        fixed(0.1, "float32"),
        fixed(128, "uint8"),
        fixed([100, -100, 50], "int32"),
        pads=[1, 1, 1, 1],
        strides=[2, 2],
    ),
]
WINDOWS = [
    case("MaxPool", floats(1, 2, 9, 9), kernel_shape=[3, 2], dilations=[2, 3], strides=[2, 1], pads=[1, 0, 2, 0]),
    case("MaxPool", integers(1, 2, 6, 6, dtype="int8"), kernel_shape=[2, 2], strides=[2, 2]),
    case("MaxPool", floats(2, 2, 6, 5), kernel_shape=[3, 3], strides=[1, 2], pads=[1, 1, 1, 1], outputs=2),
    case("Col2Im", floats(2, 12, 20), fixed([5, 6]), fixed([2, 2])),
    case("MaxUnpool", floats(1, 1, 2, 2), integers(1, 1, 2, 2, low=0, high=15), kernel_shape=[2, 2], strides=[2, 2]),
]
PRODUCTS = [
    case("Einsum", floats(2, 3), floats(3, 4), floats(4, 5), equation="ij,jk,kl->il"),
    case("Einsum", floats(2, 3), floats(2, 4), floats(2, 5), floats(2), equation="bi,bj,bk,b->bijk"),
    case("Einsum", floats(3, 3, 2), equation="iij->j"),
    case("Einsum", floats(3, 3, 3), equation="iii->i"),
    case("Det", floats(2, 3, 3)),
    case("Det", floats(2, 2)),
]
SCATTERS = [
    case(
        "ScatterND", floats(4, 3), fixed([[1], [3], [1]]), floats(3, 3, seed=1), reduction=reduction
    )
    for reduction in ("mul", "max", "min")
] + [
    case("ScatterElements", floats(4, 3), integers(2, 3, low=-4, high=4), floats(2, 3, seed=1), axis=0, reduction="max"),
    case("ScatterElements", integers(4, 3), integers(2, 3, low=0, high=3), integers(2, 3, seed=1), axis=1, reduction="min"),
]  # fmt: skip


@pytest.mark.parametrize("node", [*QUANTIZED, *WINDOWS, *PRODUCTS, *SCATTERS], ids=str)
def test_spelled_operators_answer_as_onnxruntime(node: Case, tmp_path: Path) -> None:
    hub, feeds = node.hub()
    assert_equal_outputs(hub, feeds, tmp_path, tolerance=3e-5)


@pytest.mark.parametrize(
    ("mode", "padding", "aligned"),
    [
        *itertools.product(("linear", "nearest"), ("zeros", "border", "reflection"), (0, 1)),
        ("cubic", "zeros", 0),
        ("cubic", "border", 1),
        ("cubic", "reflection", 0),
    ],
)
def test_positions_far_outside_are_sampled_as_onnxruntime_does(
    mode: str, padding: str, aligned: int, tmp_path: Path
) -> None:
    grid = floats(2, 5, 7, 2, low=-2.5, high=2.5)
    node = case("GridSample", floats(2, 3, 4, 6), grid, mode=mode, padding_mode=padding, align_corners=aligned)
    hub, feeds = node.hub()
    assert_equal_outputs(hub, feeds, tmp_path, tolerance=5e-5)


def test_volumes_are_sampled(tmp_path: Path) -> None:
    hub, feeds = case("GridSample", floats(1, 2, 3, 4, 5), floats(1, 2, 3, 2, 3, low=-1.2, high=1.2)).hub()
    assert_equal_outputs(hub, feeds, tmp_path)


def test_the_loss_of_a_classifier_is_written_by_its_definition(tmp_path: Path) -> None:
    node = case("SoftmaxCrossEntropyLoss", floats(4, 5), integers(4, low=0, high=4), outputs=2)
    hub, feeds = node.hub()
    assert_equal_outputs(hub, feeds, tmp_path)


def test_an_empty_axis_reduces_to_a_constant(tmp_path: Path) -> None:
    hub, feeds = case("ReduceSum", np.zeros((2, 0, 3), np.float32), fixed([1])).hub()
    assert_equal_outputs(hub, feeds, tmp_path)
