"""RNN, LSTM and GRU in TFLite against ONNX Runtime, in float."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime_twin import Arrays, assert_equal_outputs, floats
from recurrent_models import recurrent

from edgekit.errors import UnsupportedOpError
from edgekit.recipe import Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

KINDS = ("RNN", "LSTM", "GRU")


def feeds_of(hub: Hub) -> Arrays:
    return {spec.name: floats(*(int(size) for size in spec.shape)) for spec in hub.inputs}


def check(hub: Hub, folder: Path, tolerance: float = 1e-5) -> None:
    assert_equal_outputs(normalize(hub), feeds_of(hub), folder, tolerance)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_outputs_in_every_direction(kind: str, direction: str, tmp_path: Path) -> None:
    check(recurrent(kind, direction=direction), tmp_path)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_initial_states_are_inputs(kind: str, batch: int, tmp_path: Path) -> None:
    check(recurrent(kind, batch=batch, states=True), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_last_state_and_no_bias(kind: str, tmp_path: Path) -> None:
    check(recurrent(kind, outputs=(1,), bias=False), tmp_path)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_gru_that_resets_behind_its_weights(direction: str, tmp_path: Path) -> None:
    check(recurrent("GRU", direction=direction, linear_before_reset=1, states=True), tmp_path)


def test_an_lstm_with_peepholes(tmp_path: Path) -> None:
    check(recurrent("LSTM", peepholes=True, states=True), tmp_path)


def test_one_step_for_streaming(tmp_path: Path) -> None:
    check(recurrent("LSTM", steps=1, states=True), tmp_path)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("RNN", {"activations": ["Relu"]}),
        ("RNN", {"activations": ["Softsign"]}),
        ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.2]}),
        ("RNN", {"activations": ["Affine"], "activation_alpha": [0.3], "activation_beta": [0.1]}),
        ("LSTM", {"activations": ["HardSigmoid", "Tanh", "Elu"]}),
        ("GRU", {"activations": ["HardSigmoid", "Relu"], "activation_alpha": [0.25], "activation_beta": [0.4]}),
    ],
)
def test_other_activations(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    check(recurrent(kind, **settings), tmp_path)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"clip": 1.0}, "clips its gates"),
        ({"input_forget": 1}, "coupled"),
        ({"lengths": (2, 5)}, "sequence lengths"),
        ({"activations": ["ThresholdedRelu", "Tanh", "Tanh"]}, "activation thresholdedrelu"),
        ({"direction": "bidirectional", "activations": ["HardSigmoid", "Tanh", "Tanh"] * 2, "activation_alpha": [0.1] * 2},
         "bidirectional"),
    ],
)  # fmt: skip
def test_what_has_no_form_is_refused(settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    hub = normalize(recurrent("LSTM", batch=2, **settings))
    with pytest.raises(UnsupportedOpError, match=says):
        write_tflite(hub, QuantPlan(Precision.FLOAT32), tmp_path / "model.tflite", TfliteOptions())


def test_a_reader_of_the_last_output_alone_joins_no_others(tmp_path: Path) -> None:
    hub = normalize(recurrent("LSTM", outputs=(1, 2), steps=20))
    write_tflite(hub, QuantPlan(Precision.FLOAT32), tmp_path / "model.tflite", TfliteOptions())
    assert (tmp_path / "model.tflite").stat().st_size < 60_000
    assert np.prod(hub.outputs[0].shape) == 5
