"""A first convolution of few channels gets more of them where ONNX Runtime is faster with them, and gives the same integers."""

from __future__ import annotations

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
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.quantize import Quantized, quantize
from edgekit_converters.writers.onnx import OnnxOptions, write_onnx

RNG = np.random.default_rng(3)


def convolutions(channels: int, results: int, kernel: int) -> Hub:
    """Two, behind an input of (N, channels, 12, 12)."""
    builder = GraphBuilder()
    value = builder.input("x", "float32", ["N", channels, 12, 12])
    for inputs, outputs in ((channels, results), (results, 8)):
        weights = RNG.normal(0, (2 / (kernel**2 * inputs)) ** 0.5, (outputs, inputs, kernel, kernel))
        operands = [builder.constant(array.astype(np.float32)) for array in (weights, RNG.normal(0, 0.1, outputs))]
        value = builder.op("Relu", builder.op("Conv", value, *operands, pads=[kernel // 2] * 4))
    builder.output(value, "y")
    return normalize(builder.build("test"))


def made(channels: int, results: int = 16, kernel: int = 3) -> tuple[Quantized, np.ndarray]:
    """With samples whose zero point is not 0."""
    x = (RNG.standard_normal((16, channels, 12, 12)) + 0.7).astype(np.float32)
    return quantize(convolutions(channels, results, kernel), Recipe(), load_target("cpu"), Samples(x=x), Silent()), x


def written(found: Quantized, folder: Path, options: OnnxOptions = OnnxOptions()) -> Path:  # noqa: B008 (frozen)
    path = folder / f"{options.activation_type}_{options.io}.onnx"
    write_onnx(found.hub, found.plan, path, options)
    return path


def widths(path: Path) -> list[int]:
    """Input channels of the convolutions' weights."""
    initializers = {each.name: each for each in onnx.load(path).graph.initializer}
    kernels = [
        each for each in initializers.values() if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 4
    ]
    return sorted(each.dims[1] for each in kernels)


def run(path: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path)
    found: np.ndarray = session.run(None, {session.get_inputs()[0].name: x})[0]
    return found


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_channels_are_padded_and_every_result_stays(tmp_path, channels):
    found, x = made(channels)
    padded = written(found, tmp_path)
    plain = written(found, tmp_path, OnnxOptions(activation_type=QuantType.INT8))
    assert widths(padded) == [4, 16]
    assert widths(plain) == [channels, 16]
    np.testing.assert_array_equal(run(padded, x), run(plain, x))


def test_integers_at_the_border_of_the_model_are_padded_alike(tmp_path):
    found, x = made(3)
    path = written(found, tmp_path, OnnxOptions(io=IoType.INT8))
    assert widths(path) == [4, 16]
    integers = RNG.integers(-128, 128, x.shape).astype(np.int8)
    assert run(path, integers).std() > 0


@pytest.mark.parametrize(("channels", "results", "kernel"), [(4, 16, 3), (6, 16, 3), (3, 16, 7)])
def test_convolutions_that_gain_nothing_stay_as_they_are(tmp_path, channels, results, kernel):
    found, _ = made(channels, results, kernel)
    assert widths(written(found, tmp_path)) == sorted([channels, results])


def test_the_padded_convolution_computes_on_integers(tmp_path):
    found, _ = made(3)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(written(found, tmp_path), options)
    ops = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert ops.count("QLinearConv") == 2
    assert ops.index("QuantizeLinear") < ops.index("Pad") < ops.index("QLinearConv")
