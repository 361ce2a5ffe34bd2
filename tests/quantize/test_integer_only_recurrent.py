"""Recurrent layers in files without float operators, run in LiteRT against the float layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from integer_only_files import Arrayed, answers, convert, decibels, expected, float_tensors, operators

from edgekit.errors import ConversionError
from edgekit.recipe import IoType
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize

STEPS, INPUTS, UNITS = 12, 24, 32
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"activations": ["Relu"]}),
    ("LSTM", {}),
    ("GRU", {}),
    ("GRU", {"linear_before_reset": 1}),
]


def layer(
    kind: str,
    direction: str = "forward",
    states: bool = False,
    outputs: Sequence[int] | None = None,
    peepholes: bool = False,
    **attributes: Any,
) -> Hub:
    """One layer, batch-first as PyTorch has it: ``x`` (batch, steps, inputs), with ``states`` also ``h`` and ``c``."""
    graph, random = GraphBuilder(), np.random.default_rng(5)
    directions, rows = 2 if direction == "bidirectional" else 1, GATES[kind] * UNITS

    def weights(*shape: int) -> Any:
        size = 0.3 if len(shape) == 1 else 1 / np.sqrt(shape[1])
        return graph.constant((size * random.standard_normal((directions, *shape))).astype(np.float32))

    x = graph.input("x", "float32", ("batch", STEPS, INPUTS))
    names = ("h", "c") if kind == "LSTM" else ("h",)
    given = [
        graph.op("Transpose", graph.input(name, "float32", ("batch", directions, UNITS)), perm=[1, 0, 2])
        if states
        else None
        for name in names
    ]
    first = graph.op("Transpose", x, perm=[1, 0, 2])
    values = [first, weights(rows, INPUTS), weights(rows, UNITS), weights(2 * rows), None, *given]
    values += [weights(3 * UNITS)] if peepholes else []
    count = 3 if kind == "LSTM" else 2
    made = graph.ops(kind, *values, outputs=count, name="layer", hidden_size=UNITS, direction=direction, **attributes)
    for index in range(count) if outputs is None else outputs:
        order = [2, 0, 1, 3] if index == 0 else [1, 0, 2]
        graph.output(graph.op("Transpose", made[index], perm=order), f"y{index}")
    return normalize(graph.build("test"))


def samples(hub: Hub, count: int, seed: int = 0) -> dict[str, Any]:
    """Normal data; states as a tanh leaves them."""
    random = np.random.default_rng(seed)
    arrays = {spec.name: random.standard_normal((count, *spec.shape[1:])).astype(np.float32) for spec in hub.inputs}
    return {name: array if name == "x" else np.tanh(array) for name, array in arrays.items()}


def close(hub: Hub, path: Path, io: IoType = IoType.FLOAT32, **options: Any) -> float:
    """dB of the file's answers to new samples, a sample at a time."""
    convert(hub, Arrayed(samples(hub, 48)), path, io, **options)
    new = samples(hub, 8, seed=1)
    feeds = [{name: array[place : place + 1] for name, array in new.items()} for place in range(8)]
    return decibels(expected(hub, feeds), answers(path, feeds))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("kind", "settings"), FORMS)
def test_a_layer_without_floats_is_close_to_float(
    kind: str, settings: dict[str, Any], direction: str, tmp_path: Path
) -> None:
    if direction == "bidirectional" and settings.get("activations"):
        settings = {"activations": settings["activations"] * 2}
    hub = layer(kind, direction=direction, **settings)
    assert close(hub, tmp_path / "m.tflite") > (30 if kind == "LSTM" else 38)
    assert float_tensors(tmp_path / "m.tflite") == {"x", *(value.name for value in hub.outputs)}


@pytest.mark.parametrize(("kind", "settings"), FORMS)
def test_states_from_outside_are_read_and_given_back(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    hub = layer(kind, states=True, **settings)
    assert close(hub, tmp_path / "m.tflite") > 38


def test_an_lstm_at_rest_is_one_operator(tmp_path: Path) -> None:
    hub = layer("LSTM", outputs=(0, 1))
    assert close(hub, tmp_path / "m.tflite", IoType.INT8) > 30
    assert operators(tmp_path / "m.tflite")["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 1
    assert not float_tensors(tmp_path / "m.tflite")


def test_the_cell_state_of_the_operator_does_not_pass_on_to_the_next_sample(tmp_path: Path) -> None:
    hub = layer("LSTM", outputs=(0,))
    path = convert(hub, Arrayed(samples(hub, 16)), tmp_path / "m.tflite")
    feed = samples(hub, 1, seed=2)
    first, second = answers(path, [feed, feed])
    np.testing.assert_array_equal(first["y0"], second["y0"])


@pytest.mark.parametrize(("kind", "settings"), FORMS)
def test_a_long_layer_is_a_loop(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    hub = layer(kind, states=True, **settings)
    assert close(hub, tmp_path / "m.tflite", unroll_steps=4) > 38
    assert operators(tmp_path / "m.tflite")["WHILE"] == 1


def test_what_has_no_integer_form_is_refused_by_name(tmp_path: Path) -> None:
    hub = layer("LSTM", peepholes=True, states=True)
    with pytest.raises(ConversionError, match=r"layer .*peepholes.*replace them"):
        convert(hub, Arrayed(samples(hub, 4)), tmp_path / "m.tflite")
