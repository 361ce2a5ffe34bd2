"""The reader against Keras itself: every layer and option, saved in both formats, gives Keras's outputs."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import keras_attentions
import keras_models
import keras_sequences
import numpy as np
import onnxruntime
import pytest

from edgekit.protocols import ReadOptions
from edgekit_converters.sources.keras import KerasSource

pytestmark = pytest.mark.tensorflow
BATCH = 3
MODELS = {**keras_models.ALL, **keras_sequences.ALL, **keras_attentions.ALL}


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")
def test_hub_of_both_formats_gives_the_outputs_of_keras(keras, name, tmp_path):
    keras.utils.set_random_seed(7)
    model = MODELS[name](keras, keras.layers)
    _randomize(model)
    feeds = _feeds(model)
    expected = _flat(keras, model(_arranged(model, feeds), training=False))
    for file in (tmp_path / "model.keras", tmp_path / "model.h5"):
        model.save(file)
        found = run_hub(file, feeds)
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5 * max(1.0, np.abs(theirs).max()))


@pytest.mark.data
@pytest.mark.filterwarnings("ignore")
def test_the_autoencoder_of_mlperf_tiny_equals_keras(keras):
    if not (folder := os.environ.get("EDGEKIT_DATA")):
        pytest.skip("EDGEKIT_DATA does not name the folder of real models and data")
    file = Path(folder) / "mlperf_tiny" / "ad01.h5"
    x = 10 * np.random.default_rng(0).normal(size=(64, 640)).astype(np.float32)
    expected = np.asarray(keras.models.load_model(file, compile=False)(x, training=False))
    np.testing.assert_allclose(run_hub(file, {"input_1": x})[0], expected, rtol=1e-5, atol=1e-4)


def run_hub(file, feeds):
    hub = KerasSource().read(file, ReadOptions())
    assert {spec.shape[0] for spec in (*hub.inputs, *hub.outputs)} == {"batch"}
    session = onnxruntime.InferenceSession(hub.to_bytes(), providers=["CPUExecutionProvider"])
    assert [spec.name for spec in session.get_inputs()] == list(feeds)
    return session.run(None, feeds)


def _randomize(model):
    """Weights that show a wrong order: none is 0 or 1, variances are positive."""
    generator = np.random.default_rng(3)
    for weight in model.weights:
        if "count" in weight.path or "seed" in weight.path:
            continue
        values = generator.normal(0.0, 0.5, weight.shape).astype(np.float32)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _feeds(model):
    generator = np.random.default_rng(5)
    feeds = {}
    for tensor in model.inputs:
        shape = (BATCH, *(size or 7 for size in tensor.shape[1:]))
        values = generator.normal(0.0, 2.0, shape).astype(np.float32)
        if tensor.dtype == "bool":
            values = values > -1
        elif "embedding" in model.layers[-1].name or "int" in tensor.dtype:
            values = np.abs(values * 3).clip(0, 10).astype(tensor.dtype)
        name = tensor._keras_history.operation.name
        if name in ("hidden", "seldom"):
            _hide_steps(values, any_step=name == "seldom")
        feeds[name] = values
    return feeds


def _hide_steps(values, any_step):
    """Zeros: all steps of the first sample (or none), the last and a middle one of the second, the first ones of the third."""
    values[values == 0] = 1
    if not any_step:
        values[0] = 0
    values[1, [2, 5, 6]] = 0
    values[2, :3] = 0


def _arranged(model, feeds):
    if isinstance(getattr(model, "_inputs_struct", None), dict):
        return dict(feeds)
    arrays = list(feeds.values())
    return arrays if len(arrays) > 1 else arrays[0]


def _flat(keras, outputs):
    return [np.asarray(tensor) for tensor in keras.tree.flatten(outputs)]
