"""What leads to magnitudes, and the layer that reads them, stay float; a norm is no spectrum."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.recipe import Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import Execution
from edgekit_converters.quantize.scheme import Scheme, scheme

CPU = Target("cpu", "this machine")
INTEGER_ONLY = Target("npu", "an integer-only target", integer_only=True)


def spectrum_network(*, offset: bool = False, layers: bool = True, squares: str = "Pow") -> Hub:
    """Two convolutions as real and imaginary part, their magnitude, and (``layers``) two convolutions with clamps on it."""
    graph, random = GraphBuilder(), np.random.default_rng(0)

    def conv(x, channels, name):
        kernel = graph.constant(random.standard_normal((channels, int(x.shape[1]), 3)).astype(np.float32))
        return graph.op("Conv", x, kernel, name=name, kernel_shape=[3], pads=[1, 1])

    def square(x):
        return graph.op("Pow", x, graph.constant(np.float32(2))) if squares == "Pow" else graph.op("Mul", x, x)

    x = graph.input("x", "float32", (1, 1, 32))
    power = graph.op("Add", *(square(conv(x, 8, name)) for name in ("real", "imaginary")))
    if offset:
        power = graph.op("Add", power, graph.constant(np.float32(1e-6)))
    result = graph.op("Sqrt", power, name="magnitude")
    if layers:
        first = graph.op("Relu", conv(result, 8, "first"), name="clamp")
        result = graph.op("Relu", conv(first, 8, "second"), name="later_clamp")
    graph.output(result, "y")
    return graph.build("test")


def decided(hub: Hub, target: Target = CPU) -> Scheme:
    return scheme(hub, Recipe(), target)


@pytest.mark.parametrize("options", [{}, {"offset": True}, {"squares": "Mul"}])
def test_magnitudes_and_the_layer_on_them_stay_float(options: dict[str, object]) -> None:
    nodes = decided(spectrum_network(**options)).nodes
    assert "runs inside first" in nodes["clamp"].reason
    for name in ("real", "imaginary", "first"):
        assert nodes[name].execution is Execution.FLOAT, name
        assert "magnitude" in nodes[name].reason
    assert nodes["second"].execution is Execution.INTEGER
    assert nodes["later_clamp"].execution is Execution.FUSED


def test_magnitudes_at_the_end_keep_nothing_float() -> None:
    nodes = decided(spectrum_network(layers=False)).nodes
    assert nodes["real"].execution is Execution.INTEGER


def test_a_norm_is_no_spectrum() -> None:
    """Sqrt of a mean of squares, as in a normalization."""
    graph, kernel = GraphBuilder(), np.ones((4, 4, 3), np.float32)
    x = graph.op("Conv", graph.input("x", "float32", (1, 4, 16)), graph.constant(kernel), name="front", pads=[1, 1])
    mean = graph.op("ReduceMean", graph.op("Mul", x, x), graph.constant(np.array([1])))
    norm = graph.op("Sqrt", graph.op("Add", mean, graph.constant(np.float32(1e-5))))
    graph.output(graph.op("Conv", graph.op("Div", x, norm), graph.constant(kernel), name="back", pads=[1, 1]), "y")
    nodes = decided(graph.build("test")).nodes
    assert nodes["front"].execution is nodes["back"].execution is Execution.INTEGER


def test_targets_without_float_units_have_no_choice() -> None:
    assert decided(spectrum_network(), INTEGER_ONLY).nodes["first"].execution is Execution.INTEGER
