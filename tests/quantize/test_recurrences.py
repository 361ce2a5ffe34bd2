"""A recurrent layer that an exporter wrote step by step keeps its state in float; weights shared side by side do not count."""

from __future__ import annotations

import numpy as np

from edgekit.recipe import Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import Execution
from edgekit_converters.quantize.scheme import scheme

CPU = Target("cpu", "this machine")
UNITS, STEPS = 8, 4


def matrix(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


def executions(hub: Hub) -> dict[str, Execution]:
    decided = scheme(hub, Recipe(), CPU)
    return {node.name or "": decided.nodes[node.name or ""].execution for node in hub.model.graph}


def test_steps_have_int8_weights_and_a_float_state() -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", ("batch", STEPS, UNITS))
    projected = graph.op("MatMul", x, graph.constant(matrix(UNITS, UNITS)), name="projection")
    state = None
    for step in range(STEPS):
        given = graph.op("Gather", projected, graph.constant(np.array(step)), axis=1, name=f"input{step}")
        if state is not None:
            recalled = graph.op("MatMul", state, graph.constant(2 * matrix(UNITS, UNITS)), name=f"step{step}")
            given = graph.op("Add", given, recalled, name=f"sum{step}")
        state = graph.op("Tanh", given, name=f"state{step}")
    assert state is not None
    graph.output(graph.op("Gemm", state, graph.constant(matrix(UNITS, 3)), name="head"), "y")
    found = executions(graph.build("test"))
    assert {found[name] for name in ("projection", "step1", "step2", "step3", "head")} == {Execution.WEIGHT_ONLY}
    assert {how for name, how in found.items() if name.startswith(("state", "sum", "input"))} == {Execution.FLOAT}


def test_weights_shared_side_by_side_compute_on_integers() -> None:
    graph = GraphBuilder()
    shared = graph.constant(matrix(UNITS, UNITS))
    inputs = [graph.input(name, "float32", ("batch", UNITS)) for name in ("a", "b", "c")]
    branches = [graph.op("MatMul", value, shared, name=f"branch{index}") for index, value in enumerate(inputs)]
    graph.output(graph.op("Concat", *branches, axis=1, name="join"), "y")
    assert set(executions(graph.build("test")).values()) == {Execution.INTEGER}
