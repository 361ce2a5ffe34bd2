"""A stateful Keras model as files, streamed: what Keras itself answers, call by call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conversion import convert
from numpy.typing import NDArray

import edgekit

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
BATCH, STEPS, FEATURES, CALLS = 2, 3, 5, 12


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.float32], list[NDArray[Any]]]:
    """The file of a model, chunks (calls, batch, steps, features) and Keras's own answers to them, one after the other."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((STEPS, FEATURES), batch_size=BATCH, name="x"),
            layers.LSTM(8, stateful=True, return_sequences=True),
            layers.GRU(6, stateful=True),
            layers.Dense(3),
        ]
    )
    path = tmp_path_factory.mktemp("keras") / "m.keras"
    model.save(path)
    chunks = np.random.default_rng(0).standard_normal((CALLS, BATCH, STEPS, FEATURES)).astype(np.float32)
    return path, chunks, [np.asarray(model(chunk)) for chunk in chunks]


@pytest.mark.parametrize("file_format", ["tflite", "onnx"])
def test_chunks_give_what_keras_gives(
    answered: tuple[Path, NDArray[np.float32], list[NDArray[Any]]], tmp_path: Path, file_format: str
) -> None:
    path, chunks, expected = answered
    made = convert(path, tmp_path, "--precision", "float32", "--no-checks", "--to", file_format)
    assert made.code == 0, made.err
    with edgekit.load(tmp_path / f"m.float32.{file_format}") as model:
        for row in range(BATCH):  # a stream a sequence: the files' batch is 1
            stream = model.stream()
            for chunk, answer in zip(chunks, expected, strict=True):
                np.testing.assert_allclose(stream(chunk[row : row + 1])[0], answer[row], atol=1e-5)
