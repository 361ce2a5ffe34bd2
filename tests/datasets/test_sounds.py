"""Samples in folders of .wav files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import TensorSpec
from edgekit.datasets import open_dataset
from edgekit.datasets.sounds import read_wav
from edgekit.errors import DatasetError
from edgekit.recipe import Preprocess

SOUND = TensorSpec("sound", "float32", ("batch", 8))


def write(path: Path, raw: bytes, width: int, channels: int = 1, rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(width)
        stream.setframerate(rate)
        stream.writeframes(raw)


@pytest.mark.parametrize(
    ("width", "raw"),
    [
        (1, bytes([128, 192, 0])),
        (2, np.array([0, 16384, -32768], "<i2").tobytes()),
        (3, b"\x00\x00\x00\x00\x00\x40\x00\x00\x80"),
        (4, np.array([0, 2**30, -(2**31)], "<i4").tobytes()),
    ],
)
def test_every_width_is_read_as_fractions_of_full_scale(tmp_path: Path, width: int, raw: bytes) -> None:
    write(tmp_path / "a.wav", raw, width)
    samples, rate = read_wav(tmp_path / "a.wav")
    assert samples.dtype == np.float32
    assert samples.tolist() == [0.0, 0.5, -1.0]
    assert rate == 8000


def test_channels_are_averaged(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.array([[16384, 0], [0, -16384]], "<i2").tobytes(), 2, channels=2)
    assert read_wav(tmp_path / "a.wav")[0].tolist() == [0.25, -0.25]


@pytest.mark.parametrize("shape", [("n", 8), ("n", 8, 1), ("n", 1, 8)])
def test_recordings_are_padded_or_cut_to_the_input(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    write(tmp_path / "yes" / "short.wav", np.full(3, 16384, "<i2").tobytes(), 2)
    write(tmp_path / "no" / "long.wav", np.full(12, 16384, "<i2").tobytes(), 2)
    batch = next(open_dataset(str(tmp_path), [TensorSpec("sound", "float32", shape)]).batches(5))
    assert batch.feeds["sound"].reshape(2, 8).tolist() == [[0.5] * 8, [0.5] * 3 + [0.0] * 5]
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 1]


def test_preprocess_scales_in_full_scale_units(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.full(8, 16384, "<i2").tobytes(), 2)
    dataset = open_dataset(str(tmp_path), [SOUND], preprocess=Preprocess(mean=(0.25,), scale=(0.5,)))
    assert next(dataset.batches(1)).feeds["sound"][0].tolist() == [0.5] * 8


def test_resampling_happens_on_request_alone(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    wave_16k = (16384 * np.sin(np.arange(4000) * 2 * np.pi * 440 / 16000)).astype("<i2")
    write(tmp_path / "a.wav", wave_16k.tobytes(), 2, rate=16000)
    write(tmp_path / "b.wav", wave_16k[::2].tobytes(), 2, rate=8000)
    long = TensorSpec("sound", "float32", ("n", 1800))
    with pytest.raises(DatasetError, match=r"b\.wav has 8000 samples a second, a\.wav 16000.*--sample-rate 16000"):
        list(open_dataset(str(tmp_path), [long]).batches(2))
    batch = next(open_dataset(str(tmp_path), [long], preprocess=Preprocess(sample_rate=8000)).batches(2))
    resampled, native = batch.feeds["sound"]
    assert np.abs(resampled - native)[100:].max() < 0.01


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00", b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x03\x00"])
def test_a_damaged_recording_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.wav"):
        open_dataset(str(tmp_path), [SOUND])


def test_an_input_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", b"\x00\x00", 2)
    with pytest.raises(DatasetError, match="recordings need"):
        open_dataset(str(tmp_path), [TensorSpec("spectrum", "float32", ("n", 49, 10, 1))])
