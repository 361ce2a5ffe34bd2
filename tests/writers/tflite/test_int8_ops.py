"""Int8 rules of the convolution, pooling, dense and activation ops, against a simulation on the same integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from int8_twin import IntegerModel, assert_within_steps
from onnxruntime_twin import op_names

from edgekit.protocols import SessionOptions
from edgekit_converters.quantize.params import per_tensor
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.rules import RULES
from edgekit_converters.writers.tflite import ops
from edgekit_converters.writers.tflite.table import integer_ops
from edgekit_runtimes.litert import LiteRt

WIDE = per_tensor(0.21, -5)
COARSE = 0.2
"""XNNPACK holds the ratio of two scales in 8 fractional bits when it requantizes or slopes, and the built-in kernels round
twice: where many values lie near a tie, more of them land a step off."""


@pytest.mark.parametrize(
    ("filters", "attributes"),
    [
        ((6, 4, 3, 3), {"pads": [1, 1, 1, 1]}),
        ((6, 4, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ((6, 4, 3, 3), {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
        ((6, 4, 1, 1), {}),
        ((4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
        ((8, 1, 3, 3), {"group": 4, "pads": [0, 0, 1, 1], "strides": [2, 2]}),
        ((6, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    ],
)
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_convolution(filters: tuple[int, ...], attributes: dict[str, Any], has_bias: bool, tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 8, 8))
    weights = model.weights("conv", *filters)
    bias = [model.bias("conv", filters[0], x)] if has_bias else []
    model.output(model.op("Conv", x, weights, *bias, output=WIDE, name="conv", **attributes))
    assert_within_steps(model, tmp_path)


def test_a_convolution_of_one_dimension(tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 16))
    weights = model.weights("conv", 6, 4, 3)
    model.output(model.op("Conv", x, weights, model.bias("conv", 6, x), output=WIDE, name="conv", pads=[2, 0]))
    assert_within_steps(model, tmp_path)


@pytest.mark.parametrize(
    ("filters", "attributes"),
    [
        ((4, 6, 3, 3), {}),
        ((4, 6, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((4, 6, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ((4, 3, 3, 3), {"group": 2, "strides": [2, 2]}),
        ((4, 6, 3, 3), {"dilations": [2, 2]}),
    ],
)
def test_a_transposed_convolution(filters: tuple[int, ...], attributes: dict[str, Any], tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 5, 5))
    weights = model.weights("conv", *filters, axis=1)
    bias = model.bias("conv", filters[1] * attributes.get("group", 1), x)
    model.output(model.op("ConvTranspose", x, weights, bias, output=WIDE, name="conv", **attributes))
    assert_within_steps(model, tmp_path)


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_a_convolution_of_three_dimensions_computes_in_float(op: str, tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 5, 5, 5))
    weights = model.weights("conv", *((6, 4) if op == "Conv" else (4, 6)), 3, 3, 3, axis=0 if op == "Conv" else 1)
    model.output(model.op(op, x, weights, model.bias("conv", 6, x), output=WIDE, name="conv"))
    assert_within_steps(model, tmp_path)


@pytest.mark.parametrize("transposed", [True, False])
def test_a_dense_layer_behind_a_flatten(transposed: bool, tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 8, 8))
    pooled = model.op("MaxPool", x, output=model.values["x"], kernel_shape=[2, 2], strides=[2, 2])
    flat = model.op("Flatten", pooled, output=model.values["x"])
    weights = model.weights("dense", *((10, 64) if transposed else (64, 10)), axis=0 if transposed else 1)
    bias = model.bias("dense", 10, flat)
    model.output(model.op("Gemm", flat, weights, bias, output=WIDE, name="dense", transB=int(transposed)))
    path = assert_within_steps(model, tmp_path)
    assert op_names(path).count("TRANSPOSE") == 1


@pytest.mark.parametrize("shape", [(3, 16), (2, 3, 16)])
def test_a_product_with_a_constant_matrix(shape: tuple[int, ...], tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", shape)
    model.output(model.op("MatMul", x, model.weights("product", 16, 10, axis=1), output=WIDE, name="product"))
    assert_within_steps(model, tmp_path)


def test_a_product_of_two_activations(tmp_path: Path) -> None:
    model = IntegerModel()
    left, right = model.input("a", (2, 3, 16)), model.input("b", (2, 16, 5), 0.02, -10)
    model.output(model.op("MatMul", left, right, output=per_tensor(0.3, 4)))
    assert_within_steps(model, tmp_path)


@pytest.mark.parametrize("zero_point", [-128, 3])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_a_max_pool(zero_point: int, pads: list[int], tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 8, 8), zero_point=zero_point)
    model.output(model.op("MaxPool", x, output=model.values["x"], kernel_shape=[3, 3], strides=[2, 2], pads=pads))
    assert_within_steps(model, tmp_path, steps=0)


def test_a_max_pool_of_single_elements_stays_with_the_delegate(tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 8, 8), zero_point=7)
    model.output(model.op("MaxPool", x, output=model.values["x"], kernel_shape=[1, 1], strides=[2, 2]))
    path = assert_within_steps(model, tmp_path, steps=0)
    assert "DEPTHWISE_CONV_2D" in op_names(path)
    assert {op.device for op in LiteRt().open(path, SessionOptions()).placement().ops} == {"XNNPACK"}


@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_an_average_pool(counted: int, pads: list[int], tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 9, 9))
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": pads, "count_include_pad": counted}
    model.output(model.op("AveragePool", x, output=model.values["x"], **attributes))
    assert_within_steps(model, tmp_path, share=COARSE)


@pytest.mark.parametrize(("op", "output"), [("GlobalAveragePool", per_tensor(0.01, 5)), ("GlobalMaxPool", None)])
def test_a_global_pool(op: str, output: Any, tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 7, 7))
    model.output(model.op(op, x, output=output or model.values["x"]))
    assert_within_steps(model, tmp_path)


@pytest.mark.parametrize(
    ("op", "attributes", "output", "steps", "share"),
    [
        ("Relu", {}, per_tensor(0.025, -128), 1, 0.02),
        ("LeakyRelu", {"alpha": 0.23}, per_tensor(0.0391, -60), 1, COARSE),
        ("HardSwish", {}, per_tensor(0.027, -110), 1, 0.1),
        ("Elu", {}, per_tensor(0.03, -90), 1, 0.02),
        ("Gelu", {}, per_tensor(0.03, -120), 1, 0.02),
        ("Gelu", {"approximate": "tanh"}, per_tensor(0.03, -120), 1, 0.02),
        ("Sigmoid", {}, per_tensor(1 / 256, -128), 1, 0.05),
        ("Tanh", {}, per_tensor(1 / 128, 0), 1, 0.1),
        ("Softmax", {"axis": 1}, per_tensor(1 / 256, -128), 1, 0.05),
        ("LogSoftmax", {"axis": -1}, per_tensor(16 / 256, 127), 1, 0.1),
    ],
)
def test_an_activation(
    op: str, attributes: dict[str, Any], output: Any, steps: int, share: float, tmp_path: Path
) -> None:
    model = IntegerModel()
    model.output(model.op(op, model.input("x", (1, 6, 8, 8)), output=output, **attributes))
    assert_within_steps(model, tmp_path, steps, share)


@pytest.mark.parametrize("bounds", [(0.0, 6.0), (-1.0, 1.0), (-0.7, 1.3)])
def test_a_clip_that_no_node_performs(bounds: tuple[float, float], tmp_path: Path) -> None:
    model = IntegerModel()
    low, high = (model.graph.constant(np.array(bound, np.float32)) for bound in bounds)
    x = model.input("x", (1, 6, 8, 8))
    model.output(model.op("Clip", x, low, high, output=model.values["x"]))
    assert_within_steps(model, tmp_path)


def test_a_slope_per_channel(tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 6, 8, 8))
    slope = model.operand(Use("prelu", 1), model.integers(6, 1, 1), per_tensor(0.004, 2))
    model.output(model.op("PRelu", x, slope, output=per_tensor(0.04, -20), name="prelu"))
    assert_within_steps(model, tmp_path)


def test_a_pool_whose_plan_breaks_the_tie_is_requantized(tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 8, 8))
    model.output(model.op("MaxPool", x, output=per_tensor(0.0613, 1), kernel_shape=[2, 2]))
    path = assert_within_steps(model, tmp_path, share=COARSE)
    assert op_names(path).count("QUANTIZE") == 1


def test_one_input_is_requantized_where_the_plan_says_so(tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 8, 8))
    model.uses[Use("MaxPool", 0)] = per_tensor(0.0613, 1)
    model.output(model.op("MaxPool", x, output=per_tensor(0.0613, 1), kernel_shape=[2, 2]))
    path = assert_within_steps(model, tmp_path, share=COARSE)
    assert op_names(path).count("QUANTIZE") == 1


def test_every_op_that_the_plan_may_compute_on_integers_has_an_int8_rule() -> None:
    ops.load()
    assert set(RULES) <= set(integer_ops())
