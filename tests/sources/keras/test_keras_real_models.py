"""Real trained files against the outputs that their makers' own converters gave."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from keras_files import read, run

pytestmark = pytest.mark.data


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("EDGEKIT_DATA")
    if not folder:
        pytest.skip("EDGEKIT_DATA does not name the folder of real models and data")
    return Path(folder)


def litert(path: Path, x: np.ndarray) -> np.ndarray:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.slow
def test_resnet8_equals_its_reference_file_on_all_pictures(data):
    with np.load(data / "cifar10_eval.npz") as samples:
        x, labels = samples["x"].astype(np.float32), samples["y"].ravel()
    (found,) = run(data / "mlperf_tiny" / "pretrainedResnet.h5", x)
    expected = np.concatenate(
        [litert(data / "mlperf_tiny" / "pretrainedResnet.tflite", part) for part in np.split(x, 10)]
    )
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert (found.argmax(1) == labels).mean() > 0.755


def test_resnet8_has_one_transpose(data):
    hub = read(data / "mlperf_tiny" / "pretrainedResnet.h5")
    assert [node.op_type for node in hub.model.graph].count("Transpose") == 1
    assert (hub.inputs[0].name, hub.inputs[0].shape) == ("input_1", ("batch", 32, 32, 3))
    assert (hub.outputs[0].name, hub.outputs[0].shape) == ("dense", ("batch", 10))


def test_the_autoencoder_comes_close_to_its_reference_file(data):
    """Its .tflite holds other weights than its .h5 (Keras itself differs from it as the hub does), so it is close only."""
    x = 10 * np.random.default_rng(0).normal(size=(64, 640)).astype(np.float32)
    (found,) = run(data / "mlperf_tiny" / "ad01.h5", x)
    expected = litert(data / "mlperf_tiny" / "ad01_fp32.tflite", x)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
