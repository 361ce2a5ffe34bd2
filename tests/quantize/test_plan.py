"""Scheme, encodings and plan on small networks built in code."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import ConversionError
from edgekit.recipe import Precision, Recipe, Rule
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.encodings import encode
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.plan import plan
from edgekit_converters.quantize.quant_plan import Execution, QuantPlan, Use
from edgekit_converters.quantize.scheme import scheme
from edgekit_converters.quantize.weights import weight_params

INT8 = Recipe()
CPU = Target("cpu", "this machine")
SYMMETRIC = Target("symmetric", "a symmetric target", activations="symmetric")
INTEGER_ONLY = Target("npu", "an integer-only target", integer_only=True)
RNG = np.random.default_rng(0)


def weight(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def conv(builder: GraphBuilder, x: ir.Value, channels: int, name: str) -> ir.Value:
    assert x.shape is not None
    kernel = builder.constant(weight(channels, int(x.shape[1]), 3, 3), f"{name}.w")
    return builder.op("Conv", x, kernel, builder.constant(weight(channels), f"{name}.b"), name=name, pads=[1, 1, 1, 1])


def planned(hub: Hub, ranges: dict[str, tuple[float, float]], recipe: Recipe = INT8, target: Target = CPU) -> QuantPlan:
    return plan(hub, recipe, target, scheme(hub, recipe, target), ranges)


def ranges_of(hub: Hub, recipe: Recipe = INT8, **known: tuple[float, float]) -> dict[str, tuple[float, float]]:
    return {name: known.get(name, (-1.0, 1.0)) for name in scheme(hub, recipe, CPU).observed}


def conv_relu() -> Hub:
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 8, 8])
    y = builder.op("Relu", conv(builder, x, 4, "conv"), name="relu")
    builder.output(y, "y")
    return builder.build("test")


def test_a_relu_runs_inside_the_convolution_and_its_range_implies_it():
    result = planned(conv_relu(), {"x": (-1, 1), "y": (0, 6)})
    assert result.execution("relu") is Execution.FUSED
    assert result.fusions["conv"].output == "y"
    assert result.fusions["conv"].implied
    assert int(result.values["y"].zero_point) == -128
    assert "conv_out" not in result.values


def test_a_symmetric_target_keeps_the_clamp():
    result = planned(conv_relu(), {"x": (-1, 1), "y": (0, 6)}, target=SYMMETRIC)
    assert not result.fusions["conv"].implied
    assert int(result.values["y"].zero_point) == 0


def test_the_bias_scale_is_input_scale_times_weight_scale():
    result = planned(conv_relu(), {"x": (-1, 1), "y": (0, 6)})
    kernel, bias = result.constants[Use("conv", 1)], result.constants[Use("conv", 2)]
    assert kernel.params.axis == 0
    assert bias.params.dtype is QuantType.INT32
    np.testing.assert_allclose(bias.params.scale, kernel.params.scale * result.values["x"].scale, rtol=1e-6)


def concat_hub(second_op: str) -> Hub:
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 8, 8])
    first = builder.op("Relu", conv(builder, x, 4, "c1"), name="r1")
    second = builder.op(second_op, conv(builder, x, 4, "c2"), name="a2")
    joined = builder.op("Concat", first, second, name="join", axis=1)
    builder.output(conv(builder, joined, 2, "c3"), "y")
    return builder.build("test")


def test_concat_operands_share_the_union_of_their_ranges():
    hub = concat_hub("Relu")
    result = planned(hub, ranges_of(hub, r1_out=(0, 1), a2_out=(0, 3)))
    shared = result.values["r1_out"]
    assert shared.same_as(result.values["a2_out"])
    assert shared.same_as(result.values["join_out"])
    assert shared.real_range()[1] == pytest.approx(3)


def test_an_operand_with_a_fixed_encoding_is_requantized_for_the_concat_only():
    hub = concat_hub("Sigmoid")
    result = planned(hub, ranges_of(hub, r1_out=(0, 3)))
    assert float(result.values["a2_out"].scale) == 1 / 256
    assert result.uses[Use("join", 1)].same_as(result.values["join_out"])
    assert result.values["join_out"].real_range()[1] == pytest.approx(3)


def test_an_operand_whose_fused_clamp_the_shared_range_would_break_stays_apart():
    hub = concat_hub("LeakyRelu")
    result = planned(hub, ranges_of(hub, r1_out=(0, 3), a2_out=(-1, 1)))
    assert result.fusions["c1"].implied
    assert set(result.uses) == {Use("join", 0)}
    assert result.values["join_out"].real_range()[0] < -0.9


def test_pooling_and_reshape_take_over_their_input_encoding_without_being_observed():
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 8, 8])
    pooled = builder.op("MaxPool", conv(builder, x, 4, "conv"), name="pool", kernel_shape=[2, 2], strides=[2, 2])
    builder.output(builder.op("Flatten", pooled, name="flat"), "y")
    hub = builder.build("test")
    decided = scheme(hub, Recipe(), CPU)
    assert set(decided.observed) == {"x", "conv_out"}
    result = planned(hub, {"x": (-1, 1), "conv_out": (-2, 5)})
    assert result.values["y"].same_as(result.values["conv_out"])


def test_a_padding_constant_widens_the_range_that_it_writes_into():
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 8, 8])
    pads, fill = builder.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), builder.constant(9.0)
    padded = builder.op("Pad", conv(builder, x, 4, "c1"), pads, fill, name="pad")
    builder.output(conv(builder, padded, 2, "c2"), "y")
    hub = builder.build("test")
    result = planned(hub, ranges_of(hub))
    assert result.values["pad_out"].real_range()[1] >= 9 - 0.51 * float(result.values["pad_out"].scale)


def test_elementwise_nodes_with_no_integer_neighbour_stay_float_and_say_why():
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 4])
    builder.output(builder.op("Add", x, builder.op("Sigmoid", x, name="s"), name="a"), "y")
    result = planned(builder.build("test"), {})
    assert result.execution("a") is Execution.FLOAT
    assert "beside it" in result.nodes["a"].reason


def test_a_rule_keeps_named_nodes_float():
    recipe = Recipe(rules=(Rule("c*2", precision=Precision.FLOAT32),))
    hub = concat_hub("Relu")
    result = planned(hub, ranges_of(hub, recipe), recipe)
    assert result.execution("c2") is Execution.FLOAT
    assert "recipe" in result.nodes["c2"].reason
    assert result.execution("c1") is Execution.INTEGER


def test_an_integer_only_target_refuses_what_would_stay_float():
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 8, 8])
    builder.output(builder.op("Erf", conv(builder, x, 4, "conv"), name="erf"), "y")
    hub = builder.build("test")
    with pytest.raises(ConversionError, match="erf"):
        planned(hub, ranges_of(hub), target=INTEGER_ONLY)


def test_a_final_softmax_is_integer_only_where_the_target_has_no_floats():
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 8])
    dense = builder.op("Gemm", x, builder.constant(weight(8, 3), "w"), builder.constant(weight(3), "b"), name="fc")
    builder.output(builder.op("Softmax", dense, name="softmax", axis=-1), "y")
    hub = builder.build("test")
    assert planned(hub, ranges_of(hub)).execution("softmax") is Execution.FLOAT
    on_npu = planned(hub, ranges_of(hub), target=INTEGER_ONLY)
    assert on_npu.execution("softmax") is Execution.INTEGER
    assert (float(on_npu.values["y"].scale), int(on_npu.values["y"].zero_point)) == (1 / 256, -128)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.booleans())
def test_every_encoding_holds_zero_exactly_and_covers_its_range(first, second, symmetric):
    low, high = min(first, second), max(first, second)
    params = encode(low, high, symmetric=symmetric)
    assert float(params.dequantize(params.quantize(np.zeros(1, np.float32)))[0]) == 0.0
    reach, slack = params.real_range(), 0.51 * float(params.scale)
    assert reach[0] <= low + slack
    assert reach[1] >= high - slack


def test_a_channel_of_tiny_weights_keeps_its_bias_inside_int32():
    kernel = np.array([[1e-12], [1.0]], np.float32)
    bias = np.array([3.0, 1.0], np.float32)
    params = weight_params(kernel, 0, bias, input_scale=1e-3)
    steps = bias / (params.scale * 1e-3)
    assert (np.abs(steps) <= 2**30 + 1).all()
    assert params.scale[1] == pytest.approx(1 / 127)


def log_spectrum(behind: bool) -> Hub:
    """A convolution, its logarithm, and (``behind``) a convolution on that."""
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 8, 8])
    spectrum = builder.op("Relu", conv(builder, x, 4, "front"), name="power")
    log = builder.op("Log", builder.op("Add", spectrum, builder.constant(1e-3), name="offset"), name="log")
    builder.output(conv(builder, log, 2, "back") if behind else log, "y")
    return builder.build("test")


def test_what_leads_to_a_logarithm_that_layers_work_on_stays_float():
    hub = log_spectrum(behind=True)
    result = planned(hub, ranges_of(hub))
    assert result.execution("front") is Execution.FLOAT
    assert "logarithm log" in result.nodes["front"].reason
    assert result.execution("back") is Execution.INTEGER


def test_a_logarithm_at_the_end_keeps_nothing_float():
    hub = log_spectrum(behind=False)
    assert planned(hub, ranges_of(hub)).execution("front") is Execution.INTEGER
