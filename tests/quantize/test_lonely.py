"""Dense layers between float values have int8 weights and no calibrated encoding."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.protocols import Silent
from edgekit.recipe import IoType, Precision, Recipe, Rule
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.lonely import FEWEST_WEIGHTS
from edgekit_converters.quantize.quant_plan import Execution, Use
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.quantize.scheme import scheme

CPU = Target("cpu", "this machine")
UNITS = 32


def network(columns: int, *, relu: bool = False) -> Hub:
    """A layer of sines, which has no int8 form, and a dense head."""
    graph, random = GraphBuilder(), np.random.default_rng(3)
    value = graph.op("Sin", graph.input("x", "float32", ("batch", 4, UNITS // 4)))
    value = graph.op("Reshape", value, graph.constant(np.array([-1, UNITS])), name="flat")
    weight = graph.constant(random.standard_normal((UNITS, columns)).astype(np.float32))
    value = graph.op("Gemm", value, weight, graph.constant(np.ones(columns, np.float32)), name="head")
    graph.output(graph.op("Relu", value, name="relu") if relu else value, "y")
    return graph.build("test")


def executions(hub: Hub, recipe: Recipe) -> dict[str | None, Execution]:
    decided = scheme(hub, recipe, CPU)
    return {node.name: decided.nodes[node.name or ""].execution for node in hub.model.graph}


@pytest.mark.parametrize(
    ("columns", "expected"), [(10, Execution.WEIGHT_ONLY), (FEWEST_WEIGHTS // UNITS, Execution.DYNAMIC)]
)
def test_a_head_behind_float_values_needs_no_samples(columns: int, expected: Execution) -> None:
    made = quantize(network(columns), Recipe(), CPU, None, Silent())
    assert made.plan.execution("head") is expected
    assert made.plan.execution("flat") is Execution.FLOAT
    assert made.plan.constants[Use("head", 1)].integers.dtype == np.int8
    assert not made.plan.values
    assert "alone between values in float" in {kept.node: kept.reason for kept in made.float_nodes}["head"]


def test_a_head_with_a_clamp_keeps_its_integers() -> None:
    assert executions(network(10, relu=True), Recipe())["head"] is Execution.INTEGER


def test_a_head_whose_integers_are_asked_for_keeps_them() -> None:
    assert executions(network(10), Recipe(io=IoType.INT8))["head"] is Execution.INTEGER


def test_a_layer_that_reads_the_models_input_keeps_its_integers() -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", ("batch", UNITS))
    graph.output(graph.op("Gemm", x, graph.constant(np.ones((UNITS, 3), np.float32)), name="only"), "y")
    assert executions(graph.build("test"), Recipe())["only"] is Execution.INTEGER


def test_weights_of_a_scoped_precision_are_stored_as_asked() -> None:
    recipe = Recipe(Precision.INT8, rules=(Rule("head", Precision.INT8_DYNAMIC),))
    made = quantize(network(10, relu=True), recipe, CPU, None, Silent())
    assert made.plan.execution("head") is Execution.DYNAMIC
    assert made.plan.constants[Use("head", 1)].integers.dtype == np.int8
