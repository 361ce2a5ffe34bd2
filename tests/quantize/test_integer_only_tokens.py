"""Transformers, normalizations and activations in files without float operators, run in LiteRT against the float model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from integer_only_files import Arrayed, answers, convert, decibels, expected, float_tensors, operators
from token_networks import NETWORKS, feeds

from edgekit.errors import ConversionError
from edgekit.recipe import IoType
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize


def single(arrays: dict[str, Any]) -> list[dict[str, Any]]:
    count = len(next(iter(arrays.values())))
    return [{name: array[place : place + 1] for name, array in arrays.items()} for place in range(count)]


def close(hub: Hub, arrays: dict[str, Any], new: dict[str, Any], path: Path, io: IoType = IoType.FLOAT32) -> float:
    convert(hub, Arrayed(arrays), path, io)
    return decibels(expected(hub, single(new)), answers(path, single(new)))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_transformer_without_floats_is_close_to_float(name: str, tmp_path: Path) -> None:
    hub = NETWORKS[name]()
    assert close(hub, feeds(hub, 32), feeds(hub, 8, seed=1), tmp_path / "m.tflite") > 34
    outside = {spec.name for spec in (*hub.inputs, *hub.outputs)}
    assert float_tensors(tmp_path / "m.tflite") <= outside
    assert operators(tmp_path / "m.tflite")["RSQRT"] > 0


@pytest.mark.parametrize("io", [IoType.INT8, IoType.UINT8])
@pytest.mark.parametrize("name", NETWORKS)
def test_with_integer_inputs_and_outputs_no_tensor_is_float(name: str, io: IoType, tmp_path: Path) -> None:
    hub = NETWORKS[name]()
    assert close(hub, feeds(hub, 32), feeds(hub, 8, seed=1), tmp_path / "m.tflite", io) > 26
    assert not float_tensors(tmp_path / "m.tflite")


def image_network(op: str, *parameters: int, **attributes: Any) -> Hub:
    """A convolution, the op with channel parameters, and a convolution."""
    graph, random = GraphBuilder(), np.random.default_rng(3)

    def weights(*shape: int) -> Any:
        return graph.constant((random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32))

    x = graph.input("x", "float32", ("batch", 3, 8, 8))
    inner = graph.op("Conv", x, weights(8, 3, 3, 3), pads=[1, 1, 1, 1])
    constants = [graph.constant(random.uniform(0.5, 1.5, 8).astype(np.float32)) for _ in parameters]
    inner = graph.op(op, inner, *constants, **attributes)
    graph.output(graph.op("Conv", inner, weights(4, 8, 3, 3)), "y")
    return normalize(graph.build("test"))


IMAGE_OPS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("InstanceNormalization", (1, 2), {}),
    ("GroupNormalization", (1, 2), {"num_groups": 4}),
    ("BatchNormalization", (1, 2, 3, 4), {}),
    ("Gelu", (), {}),
    ("HardSwish", (), {}),
    ("Elu", (), {}),
    ("Tanh", (), {}),
    ("Abs", (), {}),
    ("LogSoftmax", (), {"axis": 1}),
    ("Exp", (), {}),
]


@pytest.mark.parametrize(("op", "parameters", "attributes"), IMAGE_OPS)
def test_an_op_between_convolutions_needs_no_float(
    op: str, parameters: tuple[int, ...], attributes: dict[str, Any], tmp_path: Path
) -> None:
    hub = image_network(op, *parameters, **attributes)
    random = np.random.default_rng(0)
    arrays, new = ({"x": random.standard_normal((count, 3, 8, 8)).astype(np.float32)} for count in (64, 8))
    assert close(hub, arrays, new, tmp_path / "m.tflite", IoType.INT8) > 25
    assert not float_tensors(tmp_path / "m.tflite")


def test_silu_and_squeeze_excitation_stay_in_8_bits(tmp_path: Path) -> None:
    graph, random = GraphBuilder(), np.random.default_rng(3)

    def weights(*shape: int) -> Any:
        return graph.constant((random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32))

    x = graph.input("x", "float32", ("batch", 3, 8, 8))
    inner = graph.op("Conv", x, weights(8, 3, 3, 3), pads=[1, 1, 1, 1])
    inner = graph.op("Mul", inner, graph.op("Sigmoid", inner))
    squeezed = graph.op("Conv", graph.op("GlobalAveragePool", inner), weights(8, 8, 1, 1))
    inner = graph.op("Mul", inner, graph.op("Sigmoid", squeezed))
    graph.output(graph.op("Conv", inner, weights(4, 8, 3, 3)), "y")
    hub = normalize(graph.build("test"))
    arrays, new = ({"x": random.standard_normal((count, 3, 8, 8)).astype(np.float32)} for count in (64, 8))
    assert close(hub, arrays, new, tmp_path / "m.tflite", IoType.INT8) > 28
    assert not float_tensors(tmp_path / "m.tflite")
    assert "RSQRT" not in operators(tmp_path / "m.tflite")


def test_integers_too_large_for_16_bits_are_refused(tmp_path: Path) -> None:
    graph = GraphBuilder()
    counted = graph.op("Cast", graph.input("x", "int64", ("batch", 4)), to=1, name="count")
    graph.output(graph.op("Mul", counted, graph.constant(np.full(4, 1e-5, np.float32))), "y")
    hub = normalize(graph.build("test"))
    with pytest.raises(ConversionError, match=r"count.*from 0 to 40000.*-32768 to 32767"):
        convert(hub, Arrayed({"x": np.array([[0, 1, 2, 40000]])}), tmp_path / "m.tflite")


def test_an_op_without_integers_is_refused_by_name(tmp_path: Path) -> None:
    hub = image_network("Softplus")
    with pytest.raises(ConversionError, match=r"Softplus has no int8 form.*leave --integer-only out"):
        convert(hub, Arrayed({"x": np.ones((4, 3, 8, 8), np.float32)}), tmp_path / "m.tflite")
