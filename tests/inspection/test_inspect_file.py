"""What an inspection finds in files whose figures are worked out by hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.errors import ArtifactError
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import Hub
from edgekit_converters.inspection import Contents, inspect_file
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite


def filled(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def convolution() -> Hub:
    """(1, 3, 8, 8), 5 filters of 3x3, stride 2: 5 x 4 x 4 outputs of 27 products each, and 5 biases."""
    graph = GraphBuilder()
    data = graph.input("x", "float32", ("batch", 3, 8, 8))
    weight, bias = graph.constant(filled(5, 3, 3, 3)), graph.constant(filled(5))
    graph.output(graph.op("Conv", data, weight, bias, strides=[2, 2], pads=[1, 1, 1, 1]), "y")
    return graph.build("test")


def depthwise() -> Hub:
    graph = GraphBuilder()
    data = graph.input("x", "float32", ("batch", 4, 6, 6))
    graph.output(graph.op("Conv", data, graph.constant(filled(4, 1, 3, 3)), graph.constant(filled(4)), group=4), "y")
    return graph.build("test")


def transposed() -> Hub:
    graph = GraphBuilder()
    data = graph.input("x", "float32", ("batch", 4, 5, 5))
    weight, bias = graph.constant(filled(4, 2, 2, 2)), graph.constant(filled(2))
    graph.output(graph.op("ConvTranspose", data, weight, bias, strides=[2, 2]), "y")
    return graph.build("test")


def dense() -> Hub:
    graph = GraphBuilder()
    data = graph.input("x", "float32", ("batch", 7))
    graph.output(graph.op("Gemm", data, graph.constant(filled(7, 3)), graph.constant(filled(3))), "y")
    return graph.build("test")


def attention_scores() -> Hub:
    """Two activations multiplied: (1, 2, 5, 8) by (1, 2, 8, 5)."""
    graph = GraphBuilder()
    query, key = graph.input("q", "float32", ("batch", 2, 5, 8)), graph.input("k", "float32", ("batch", 2, 8, 5))
    graph.output(graph.op("MatMul", query, key), "y")
    return graph.build("test")


NETWORKS = {
    "convolution": (convolution, 5 * 4 * 4 * 27, 5 * 27 + 5),
    "depthwise": (depthwise, 4 * 4 * 4 * 9, 36 + 4),
    "transposed": (transposed, 4 * 5 * 5 * 2 * 4, 32 + 2),
    "dense": (dense, 21, 24),
    "attention": (attention_scores, 2 * 5 * 5 * 8, 0),
}


def inspected(hub: Hub, path: Path) -> Contents:
    if path.suffix == ".onnx":
        path.write_bytes(hub.to_bytes())
    else:
        write_tflite(hub, QuantPlan(Precision.FLOAT32), path, TfliteOptions())
    return inspect_file(path)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize("name", NETWORKS)
def test_macs_and_parameters_agree_in_both_formats(tmp_path: Path, name: str, suffix: str) -> None:
    make, macs, parameters = NETWORKS[name]
    contents = inspected(make(), tmp_path / f"m{suffix}")
    assert contents.macs == macs
    assert contents.parameters == parameters
    assert contents.weight_bytes == 4 * parameters
    assert contents.size_bytes == (tmp_path / f"m{suffix}").stat().st_size
    assert contents.notes == ()


def test_a_recurrent_layer_counts_gates_steps_and_directions(tmp_path: Path) -> None:
    graph = GraphBuilder()
    data = graph.input("x", "float32", (6, 1, 4))
    weights, recurrence = graph.constant(filled(1, 32, 4)), graph.constant(filled(1, 32, 8))
    graph.output(graph.ops("LSTM", data, weights, recurrence, outputs=3, hidden_size=8)[0], "y")
    assert inspected(graph.build("test"), tmp_path / "m.onnx").macs == 6 * 4 * 8 * (4 + 8)


def test_shapes_that_the_file_computes_itself_are_folded(tmp_path: Path) -> None:
    graph = GraphBuilder()
    data = graph.input("x", "float32", ("batch", 2, 3))
    batch = graph.op("Slice", graph.op("Shape", data), *(graph.constant(np.array([n])) for n in (0, 1)))
    flat = graph.op("Reshape", data, graph.op("Concat", batch, graph.constant(np.array([-1])), axis=0))
    graph.output(graph.op("MatMul", flat, graph.constant(filled(6, 4))), "y")
    assert inspected(graph.build("test"), tmp_path / "m.onnx").macs == 24


def test_open_dimensions_other_than_the_batch_are_noted(tmp_path: Path) -> None:
    graph = GraphBuilder()
    data = graph.input("x", "float32", ("batch", "length", 4))
    graph.output(graph.op("MatMul", data, graph.constant(filled(4, 2))), "y")
    contents = inspected(graph.build("test"), tmp_path / "m.onnx")
    assert contents.macs == 8
    assert contents.notes == ("open dimensions counted as 1: x: length",)
    assert contents.inputs[0].shape == ("batch", "length", 4)


def test_ops_without_known_shapes_are_named(tmp_path: Path) -> None:
    node = onnx.helper.make_node("QGemm", [*"abcdefgh"], ["y"], domain="com.microsoft")
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in "ay"]
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:]), opset_imports=opsets)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    contents = inspect_file(path)
    assert contents.nodes[0].macs is None
    assert "com.microsoft.QGemm" in contents.notes[0]


def test_quantized_tensors_show_their_scheme(tmp_path: Path) -> None:
    graph = GraphBuilder()
    data = graph.input("x", "float32", (1, 4))
    scale, zero = graph.constant(np.float32(0.5)), graph.constant(np.uint8(100))
    encoded = graph.op("DequantizeLinear", graph.op("QuantizeLinear", data, scale, zero), scale, zero)
    stored = graph.constant(np.ones((4, 2), np.int8), "weight")
    scales = graph.constant(np.array([0.1, 0.2], np.float32))
    weight = graph.op("DequantizeLinear", stored, scales, graph.constant(np.zeros(2, np.int8)), axis=1)
    graph.output(graph.op("MatMul", encoded, weight), "y")
    contents = inspected(graph.build("test"), tmp_path / "m.onnx")
    schemes = {tensor.name: tensor.scheme for tensor in contents.tensors if tensor.scheme}
    assert schemes["x"].summary == "uint8 per tensor, asymmetric"
    assert schemes["x"].largest_zero_point == 100
    assert schemes["weight"].summary == "int8 per channel, symmetric"
    assert (schemes["weight"].axis, schemes["weight"].scales) == (1, 2)
    assert (contents.parameters, contents.weight_bytes, contents.macs) == (8, 8, 8)


def test_external_data_counts_into_the_size(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(
        onnx.load_from_string(dense().to_bytes()), path, save_as_external_data=True, location="m.data", size_threshold=0
    )
    contents = inspect_file(path)
    assert contents.size_bytes == path.stat().st_size + (tmp_path / "m.data").stat().st_size
    assert contents.parameters == 24


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.onnx", b"no model", "is not an ONNX file"),
        ("m.onnx", b"", "holds no graph"),
        ("m.tflite", b"", "its identifier is b''"),
        ("m.tflite", b"\x1c\0\0\0TFL3" + b"\xff" * 40, "is a damaged TFLite file"),
        ("m.txt", b"", r"expected the suffix \.onnx or \.tflite"),
    ],
)
def test_what_is_no_model_is_an_artifact_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        inspect_file(path)


def test_a_missing_file_is_an_artifact_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="there is no model file"):
        inspect_file(tmp_path / "m.onnx")


@pytest.mark.data
def test_a_reference_file_has_the_published_figures() -> None:
    folder = os.environ.get("EDGEKIT_DATA")
    if not folder:
        pytest.skip("EDGEKIT_DATA names no folder of real data")
    contents = inspect_file(Path(folder) / "mlperf_tiny" / "pretrainedResnet_quant.tflite")
    assert contents.macs == 12_501_632  # MLPerf Tiny gives 12.5 million for ResNet8
    assert contents.parameters == 77_706
    assert {entry.op: entry.count for entry in contents.ops}["CONV_2D"] == 9
    weights = [tensor.scheme.summary for tensor in contents.tensors if tensor.constant and tensor.scheme]
    assert weights.count("int8 per channel, symmetric") == 9
