"""A network with a state, calibrated on samples of inputs and states, then fed chunk after chunk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgekit.datasets import open_dataset
from edgekit.evaluate import Candidate, evaluate
from edgekit.protocols import Silent
from edgekit.recipe import Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.quant_plan import Execution
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.writers.write import write

CPU = Target("cpu", "this machine")
UNITS, STEPS = 16, 60
Step = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]


def streaming_network() -> Hub:
    """``x`` (batch, 12) and ``state`` (2, batch, units) to ``score`` (batch, 1) and the next state."""
    graph, random = GraphBuilder(), np.random.default_rng(1)

    def weights(*shape: int) -> Any:
        return graph.constant((random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32))

    def index(number: int) -> Any:
        return graph.constant(np.array(number))

    first = graph.constant(np.array([0]))
    x, state = graph.input("x", "float32", ("batch", 12)), graph.input("state", "float32", (2, "batch", UNITS))
    features = graph.op("Relu", graph.op("Gemm", x, weights(12, 24), weights(24), name="features"))
    hidden, cell = (graph.op("Unsqueeze", graph.op("Gather", state, index(n), axis=0), first) for n in (0, 1))
    settings = {"outputs": 3, "name": "layer", "hidden_size": UNITS}
    layer = (weights(1, 4 * UNITS, 24), weights(1, 4 * UNITS, UNITS), weights(1, 8 * UNITS), None, hidden, cell)
    _, last, memory = graph.ops("LSTM", graph.op("Unsqueeze", features, first), *layer, **settings)
    head = graph.op("Gemm", graph.op("Squeeze", last, first), weights(UNITS, 1), weights(1), name="head")
    graph.output(graph.op("Sigmoid", head), "score")
    graph.output(graph.op("Concat", last, memory, axis=0), "next_state")
    return normalize(graph.build("test"))


def chunks(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((STEPS, 1, 12)).astype(np.float32)


def streamed(step: Step, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores of all chunks, and the state that went into each."""
    state, scores, states = np.zeros((2, 1, UNITS), np.float32), [], []
    for x in inputs:
        states.append(state)
        found = step({"x": x, "state": state})
        state = found["next_state"]
        scores.append(found["score"][0, 0])
    return np.array(scores), np.array(states)


@pytest.fixture(scope="module")
def calibrate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    inputs = chunks(0)
    _, states = streamed(hub_session(streaming_network()).run, inputs)
    path = tmp_path_factory.mktemp("samples") / "calibrate.npz"
    np.savez(path, x=inputs[:, 0], state=states)
    return path


def steps_of(folder: Path, calibrate: Path) -> dict[str, Step]:
    hub, recipe = streaming_network(), Recipe()
    quantized = quantize(hub, recipe, CPU, open_dataset(str(calibrate), hub.inputs), Silent())
    plan = quantized.plan
    assert plan.execution("features") is Execution.INTEGER
    assert plan.execution("layer") is Execution.DYNAMIC
    for file_format in ("onnx", "tflite"):
        write(file_format, quantized.hub, plan, folder / f"m.{file_format}", recipe, CPU, {})
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"), providers=["CPUExecutionProvider"])
    runner = Interpreter(model_path=str(folder / "m.tflite")).get_signature_runner()
    names = [value.name for value in session.get_outputs()]
    return {
        "onnx": lambda feeds: dict(zip(names, session.run(names, feeds), strict=True)),
        "tflite": lambda feeds: dict(runner(**feeds)),
    }


def test_int8_keeps_its_state_over_a_stream(tmp_path: Path, calibrate: Path) -> None:
    expected, _ = streamed(hub_session(streaming_network()).run, chunks(7))
    for step in steps_of(tmp_path, calibrate).values():
        scores, _ = streamed(step, chunks(7))
        assert np.abs(scores - expected).max() < 0.03
        assert (scores > 0.5).mean() == pytest.approx((expected > 0.5).mean(), abs=0.05)


def test_the_check_compares_states_as_well(calibrate: Path) -> None:
    session = hub_session(streaming_network())
    samples = open_dataset(str(calibrate), session.inputs)
    found = evaluate([Candidate("one", session), Candidate("other", session)], samples)
    assert found.samples == STEPS
    assert {output.name for output in found.agreement["other"].outputs} == {"score", "next_state"}
    assert found.agreement["other"].equal_samples == 1.0
