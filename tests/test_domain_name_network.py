"""A small network of dgaintel's shape (Embedding, Conv1D, pooling, LSTM), trained here: int8 keeps its balanced accuracy."""

from __future__ import annotations

import os

import numpy as np
import pytest
from conversion import Converted, convert
from numpy.typing import NDArray

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LENGTH, LETTERS = 24, 27
SYLLABLES = tuple(a + b for a in "bdfklmnprst" for b in "aeiou")


def names(count: int, seed: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(count, length) letters from 1 on: names of syllables (0) and of letters drawn alike (1), every tenth half and half."""
    random = np.random.default_rng(seed)
    x, y = np.zeros((count, LENGTH), np.int32), np.arange(count) % 2
    for row in range(count):
        size = int(random.integers(4, 10))
        spoken = "".join(random.choice(SYLLABLES, size))
        drawn = "".join(random.choice(list("abcdefghijklmnopqrstuvwxyz"), 2 * size))
        name = drawn if y[row] else spoken
        if row % 10 < 2:
            name = name[:size] + spoken[size:]
        x[row, : len(name)] = [ord(letter) - ord("a") + 1 for letter in name]
    return x, y


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    keras, folder = pytest.importorskip("keras"), tmp_path_factory.mktemp("domains")
    layers = keras.layers
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32", name="letters"),
            layers.Embedding(LETTERS, 160),
            layers.Conv1D(64, 3, activation="relu", padding="same"),
            layers.MaxPooling1D(2),
            layers.LSTM(32),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    x, y = names(6000, seed=0)
    model.fit(x, y, batch_size=64, epochs=4, verbose=0)
    model.save(folder / "domains.h5")
    np.savez(folder / "calibrate.npz", letters=x[:200], y=y[:200])
    x, y = names(2000, seed=1)
    np.savez(folder / "evaluate.npz", letters=x, y=y)
    samples = ("--calibrate", str(folder / "calibrate.npz"), "--evaluate", str(folder / "evaluate.npz"))
    made = convert(folder / "domains.h5", folder / "out", *samples, "--metric", "binary-accuracy")
    assert made.code == 0, made.err
    return made


def test_the_network_has_learned(converted: Converted) -> None:
    assert 0.85 < converted.document["entries"][0]["accuracy"] < 0.999


@pytest.mark.parametrize("file_format", ["tflite", "onnx"])
def test_int8_keeps_the_balanced_accuracy(converted: Converted, file_format: str) -> None:
    (entry,) = [one for one in converted.document["entries"] if one["name"] == f"domains.int8.{file_format}"]
    assert abs(entry["drop_points"]) <= 0.5
    assert entry["agreement"]["sqnr_db"] > 36


def test_the_embedding_the_convolution_and_the_layer_are_int8(converted: Converted) -> None:
    sizes = {entry["name"]: entry["size_bytes"] for entry in converted.document["entries"]}
    assert sizes["domains.int8.onnx"] < 0.4 * sizes["float32 onnx"]
