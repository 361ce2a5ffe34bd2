"""Operators are spelled in forms that have integer kernels, and compute the same."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.integer_forms import integer_forms
from edgekit_converters.hub.run import hub_session

RNG = np.random.default_rng(5)


def outputs_of(hub: Hub, x: np.ndarray) -> np.ndarray:
    return hub_session(hub).run({"x": x})["y"]


def ops_of(hub: Hub) -> list[str]:
    return [node.op_type for node in hub.model.graph]


@pytest.mark.parametrize("spatial", [(6,), (6, 5)])
def test_a_lone_batch_normalization_becomes_a_depthwise_convolution(spatial):
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["batch", 4, *spatial])
    parameters = [builder.constant(RNG.uniform(0.5, 2.0, 4).astype(np.float32)) for _ in range(4)]
    builder.output(builder.op("BatchNormalization", x, *parameters, epsilon=1e-3, name="norm"), "y")
    hub = builder.build("test")
    found = integer_forms(hub)
    assert ops_of(found) == ["Conv"]
    assert ops_of(hub) == ["BatchNormalization"], "the hub given stays as it was"
    data = RNG.standard_normal((2, 4, *spatial)).astype(np.float32)
    np.testing.assert_allclose(outputs_of(found, data), outputs_of(hub, data), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "attributes", "expected"),
    [
        ("HardSwish", {}, ["Mul", "Add", "Clip", "Mul"]),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, ["Mul", "Add", "Clip"]),
        ("HardSigmoid", {}, ["Mul", "Add", "Clip"]),
    ],
)
def test_hard_activations_become_sums_products_and_a_clamp(op, attributes, expected):
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["batch", 40])
    builder.output(builder.op(op, x, **attributes), "y")
    hub = builder.build("test")
    found = integer_forms(hub)
    assert ops_of(found) == expected
    data = np.linspace(-6, 6, 80, dtype=np.float32).reshape(2, 40)
    np.testing.assert_allclose(outputs_of(found, data), outputs_of(hub, data), rtol=1e-6, atol=1e-6)


def test_a_quotient_by_a_constant_becomes_a_product_and_by_zero_stays():
    for divisor, expected in ((np.float32([3.0, -7.0]), ["Mul"]), (np.float32([3.0, 0.0]), ["Div"])):
        builder = GraphBuilder()
        x = builder.input("x", "float32", ["batch", 2])
        builder.output(builder.op("Div", x, builder.constant(divisor)), "y")
        assert ops_of(integer_forms(builder.build("test"))) == expected
