"""Transposed convolutions and depth-to-space in int8: integer kernels in ONNX Runtime, the same numbers."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from samples_in_memory import Samples

from edgekit.protocols import Silent
from edgekit.recipe import IoType, Recipe
from edgekit.target import load_target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.quantize import Quantized, quantize
from edgekit_converters.writers.onnx import OnnxOptions, write_onnx
from edgekit_converters.writers.onnx.upscaling import phases
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

RNG = np.random.default_rng(5)


def transposed(kernel: int, stride: int, pads: int, extra: int = 0, **attributes: object) -> Hub:
    """Convolution, transposed convolution with a clamp behind it, convolution."""
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 7, 6])
    wide = builder.op("Conv", x, builder.constant(weights(8, 3, 3, 3)), builder.constant(weights(8)), pads=[1] * 4)
    spread = {"strides": [stride] * 2, "pads": [pads] * 4, "output_padding": [extra] * 2, **attributes}
    group = int(str(attributes.get("group", 1)))
    up = builder.op(
        "ConvTranspose",
        wide,
        builder.constant(weights(8, 6 // group, kernel, kernel)),
        builder.constant(weights(6)),
        **spread,
    )
    builder.output(
        builder.op(
            "Conv",
            builder.op("Relu", up),
            builder.constant(weights(4, 6, 3, 3)),
            builder.constant(weights(4)),
            pads=[1] * 4,
        ),
        "y",
    )
    return normalize(builder.build("test"))


def shuffled(mode: str) -> Hub:
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 7, 6])
    wide = builder.op(
        "Conv", x, builder.constant(weights(16, 3, 3, 3)), builder.constant(weights(16)), pads=[1] * 4, group=1
    )
    moved = builder.op("DepthToSpace", wide, blocksize=2, mode=mode)
    builder.output(builder.op("Neg", wide), "z")  # a second reader keeps CRD from becoming DCR
    builder.output(
        builder.op("Conv", moved, builder.constant(weights(4, 4, 3, 3)), builder.constant(weights(4)), pads=[1] * 4),
        "y",
    )
    return normalize(builder.build("test"))


def weights(*shape: int) -> np.ndarray:
    return (RNG.standard_normal(shape) / np.sqrt(max(np.prod(shape[1:]), 1))).astype(np.float32)


X = RNG.standard_normal((16, 3, 7, 6)).astype(np.float32)


def planned(hub: Hub) -> Quantized:
    return quantize(hub, Recipe(), load_target("cpu"), Samples(x=X), Silent())


def written(hub: Hub, folder: Path, io: IoType = IoType.FLOAT32) -> Path:
    found = planned(hub)
    write_onnx(found.hub, found.plan, folder / "net.onnx", OnnxOptions(io=io))
    return folder / "net.onnx"


def run(path: Path, x: np.ndarray) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(path).run(None, {"x": x})


def sqnr_db(reference: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10(np.square(reference).sum() / np.square(reference - found).sum()))


def optimized_ops(path: Path) -> collections.Counter[str]:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path.with_suffix(".optimized.onnx"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options)
    return collections.Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


GEOMETRIES = [(4, 2, 1, 0), (2, 2, 0, 0), (3, 2, 1, 1), (3, 3, 0, 0), (5, 2, 2, 1), (6, 3, 1, 0)]


@pytest.mark.parametrize(("kernel", "stride", "pads", "extra"), GEOMETRIES[:4])
def test_a_transposed_convolution_computes_on_integers(tmp_path, kernel, stride, pads, extra):
    hub = transposed(kernel, stride, pads, extra)
    path = written(hub, tmp_path)
    ops = optimized_ops(path)
    assert ops["ConvTranspose"] == 0
    assert ops["Conv"] == 0
    assert sqnr_db(hub_session(hub).run({"x": X})["y"], run(path, X)[0]) > 30


@pytest.mark.parametrize(("kernel", "stride", "pads", "extra"), GEOMETRIES)
def test_both_files_answer_alike(tmp_path, kernel, stride, pads, extra):
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    found = planned(transposed(kernel, stride, pads, extra))
    write_onnx(found.hub, found.plan, tmp_path / "net.onnx", OnnxOptions())
    write_tflite(found.hub, found.plan, tmp_path / "net.tflite", TfliteOptions())
    interpreter = interpreter_module.Interpreter(str(tmp_path / "net.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X[:1])
    interpreter.invoke()
    answered = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.mean(answered == run(tmp_path / "net.onnx", X[:1])[0]) > 0.99


@pytest.mark.parametrize("form", [(4, 2, 1, 0, {"group": 2}), (3, 2, 0, 0, {}), (3, 2, 1, 0, {}), (1, 2, 0, 1, {})])
def test_one_without_such_a_form_keeps_its_operator(tmp_path, form):
    hub = transposed(*form[:4], **form[4])
    path = written(hub, tmp_path)
    assert optimized_ops(path)["ConvTranspose"] == 1
    assert sqnr_db(hub_session(hub).run({"x": X})["y"], run(path, X)[0]) > 30


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_moves_integers(tmp_path, mode):
    hub = shuffled(mode)
    path = written(hub, tmp_path)
    ops = optimized_ops(path)
    assert ops["DepthToSpace"] == (mode == "CRD")
    assert ops["Conv"] == 0
    expected = hub_session(hub).run({"x": X})
    assert sqnr_db(expected["y"], run(path, X)[1]) > 30


def test_an_integer_output_keeps_its_name(tmp_path):
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 7, 6])
    builder.output(
        builder.op(
            "ConvTranspose", x, builder.constant(weights(3, 4, 2, 2)), builder.constant(weights(4)), strides=[2, 2]
        ),
        "picture",
    )
    path = written(normalize(builder.build("test")), tmp_path, IoType.INT8)
    session = onnxruntime.InferenceSession(path)
    assert [(one.name, one.type) for one in session.get_outputs()] == [("picture", "tensor(int8)")]


@pytest.mark.parametrize(("kernel", "stride", "pads", "extra"), GEOMETRIES)
def test_phases_add_up_to_the_transposed_convolution(kernel, stride, pads, extra):
    x, taps = RNG.standard_normal(9), RNG.standard_normal(kernel)
    full = np.zeros(stride * 9 + kernel + pads)
    for place, number in enumerate(x):
        full[stride * place : stride * place + kernel] += number * taps
    expected = full[pads : pads + stride * 9].reshape(9, stride)
    found = phases(kernel, stride, pads)
    assert found is not None
    for position, phase in enumerate(found):
        padded = np.pad(x, (phase.before, phase.after))
        made = np.correlate(padded, taps[list(phase.taps)], "valid")
        np.testing.assert_allclose(made, expected[:, position])


@pytest.mark.parametrize("kernel", [2, 4])
def test_one_channel_has_one_scale(tmp_path, kernel):
    builder = GraphBuilder()
    x = builder.input("x", "float32", ["N", 3, 7, 6])
    operands = builder.constant(weights(3, 1, kernel, kernel)), builder.constant(weights(1))
    builder.output(builder.op("ConvTranspose", x, *operands, strides=[2, 2], pads=[kernel // 2 - 1] * 4), "y")
    hub = normalize(builder.build("test"))
    path = written(hub, tmp_path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert optimized_ops(path)["ConvTranspose"] == 0
    assert sqnr_db(hub_session(hub).run({"x": X})["y"], run(path, X)[0]) > 30
