"""Several models over the same samples, in real runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx_ir")

from edgekit.accuracy import choose_metric
from edgekit.datasets import FittedDataset, open_dataset
from edgekit.errors import MeasurementError
from edgekit.evaluate import Candidate, evaluate
from edgekit.protocols import Session
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.run import hub_session

WEIGHTS = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)


def linear(weights: np.ndarray, name: str = "x", batch: int | str = "batch") -> Session:
    build = GraphBuilder()
    build.output(build.op("MatMul", build.input(name, "float32", (batch, 6)), build.constant(weights)), "logits")
    return hub_session(build.build("test"))


@pytest.fixture
def samples(tmp_path: Path) -> FittedDataset:
    """50 vectors, each with the class that the model with WEIGHTS gives it."""
    x = np.random.default_rng(2).normal(size=(50, 6)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", x=x, y=(x @ WEIGHTS).argmax(axis=1))
    return open_dataset(str(tmp_path / "samples.npz"), linear(WEIGHTS).inputs)


def test_accuracy_and_agreement_in_one_pass(samples: FittedDataset) -> None:
    candidates = [
        Candidate("original", linear(WEIGHTS)),
        Candidate("coarse", linear(np.round(WEIGHTS * 4) / 4)),
        Candidate("negated", linear(-WEIGHTS)),
    ]
    found = evaluate(candidates, samples, metric=choose_metric("top1"), pairs=[("coarse", "negated")])
    assert found.samples == 50
    assert found.accuracy["original"] == 1.0
    assert 0.6 < found.accuracy["coarse"] <= 1.0
    assert found.drop_points("coarse", "original") == pytest.approx(100 * (1 - found.accuracy["coarse"]))
    assert found.agreement["coarse"].equal_decisions == found.accuracy["coarse"]
    assert 15 < found.agreement["coarse"].sqnr_db < 35
    assert found.agreement["negated"].sqnr_db == pytest.approx(-6.02, abs=0.01)
    assert found.pairs["coarse", "negated"].cosine < -0.9


def test_a_session_with_a_fixed_batch_and_another_input_name(samples: FittedDataset) -> None:
    candidates = [Candidate("a", linear(WEIGHTS)), Candidate("b", linear(WEIGHTS, "serving_x", 1))]
    assert evaluate(candidates, samples).agreement["b"].sqnr_db > 100


def test_without_a_metric_there_is_no_drop(samples: FittedDataset) -> None:
    found = evaluate([Candidate("a", linear(WEIGHTS)), Candidate("b", linear(WEIGHTS))], samples)
    assert found.metric is None
    assert found.drop_points("b", "a") is None


def test_models_with_other_inputs_cannot_be_compared(samples: FittedDataset) -> None:
    build = GraphBuilder()
    one, other = (build.input(name, "float32", ("n", 6)) for name in ("p", "q"))
    build.output(build.op("Add", one, other), "sum")
    with pytest.raises(MeasurementError, match="different inputs: x against p, q"):
        evaluate([Candidate("a", linear(WEIGHTS)), Candidate("b", hub_session(build.build("test")))], samples)


def test_an_output_without_a_sample_axis_is_refused(samples: FittedDataset) -> None:
    build = GraphBuilder()
    build.output(build.op("ReduceMean", build.input("x", "float32", ("n", 6)), keepdims=0), "mean")
    with pytest.raises(MeasurementError, match="first axis must count the samples"):
        evaluate([Candidate("a", hub_session(build.build("test")))], samples)
