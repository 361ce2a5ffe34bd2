"""silero-vad over streams of sound in chunks of 32 ms, and what a file says of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from models import WORK, data_file, packaged_file
from numpy.typing import NDArray
from scipy import signal

import edgekit
from edgekit.errors import FeedError

RATE = 16000
CHUNK, CONTEXT = 512, 64
"""Samples that are new in a chunk, and those of the chunk before that stand in front of them."""


def silero(name: str) -> Path:
    """A model file of the package: ``input`` (batch, 576), ``state`` (2, batch, 128), and a sample rate ``sr``."""
    return packaged_file("silero-vad", f"silero_vad/data/{name}")


def silero_samples(recordings: int = 40, chunks: int = 1000) -> Path:
    """.npz to calibrate on: consecutive chunks of speech with pauses, and the rate, which files without it pass over. No states:
    those come from the running model."""
    path = WORK / "silero_calibrate.npz"
    WORK.mkdir(parents=True, exist_ok=True)
    np.savez(path, input=speech_chunks(seed=0, recordings=recordings)[:chunks], sr=np.full(chunks, RATE))
    return path


def speech_chunks(seed: int, recordings: int) -> NDArray[np.float32]:
    """(chunks, 576): spoken digits at 16 kHz, of various loudness, with pauses, over a quiet noise."""
    random = np.random.default_rng([9, seed])
    with np.load(data_file("spoken_digits.npz")) as data:
        waves, lengths = data["x"], data["length"]
    parts: list[NDArray[Any]] = []
    for row in random.permutation(len(waves))[:recordings]:
        wave = waves[row][: lengths[row]].astype(np.float64)
        parts += [np.zeros(int(8000 * random.uniform(0.1, 0.8))), wave / np.abs(wave).max() * random.uniform(0.2, 0.8)]
    sound = signal.resample_poly(np.concatenate(parts), 2, 1)
    return _chunks(sound + random.normal(0, 0.002, len(sound)))


def noise_chunks(seed: int, seconds: float) -> NDArray[np.float32]:
    """(chunks, 576) without speech, a quarter each: silence, white noise, pink noise that swells, and a hum."""
    random, count = np.random.default_rng([10, seed]), int(seconds / 4 * RATE)
    time = np.arange(count) / RATE
    pink = signal.lfilter([0.05, -0.096, 0.051, -0.0044], [1, -2.495, 2.017, -0.522], random.normal(0, 1, count))
    pink *= 0.1 / pink.std()
    hum = sum(np.sin(2 * np.pi * 50 * order * time) / order for order in (1, 2, 3, 5)) * 0.1
    parts = [np.zeros(count), random.normal(0, 0.05, count), pink * (0.5 + 0.5 * np.sin(time)), hum]
    return _chunks(np.concatenate(parts))


def _chunks(sound: NDArray[np.float64]) -> NDArray[np.float32]:
    whole = np.concatenate([np.zeros(CONTEXT), sound]).astype(np.float32)
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(whole, CONTEXT + CHUNK)[::CHUNK])


def speech_probabilities(path: Path, chunks: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the file says of each chunk, its states carried from one to the next."""
    with edgekit.load(path) as model, model.stream() as stream:
        rate = {spec.name: np.array(RATE, spec.dtype) for spec in stream.inputs if spec.name == "sr"}
        return np.array([_single(stream.run({"input": chunk[np.newaxis], **rate})["output"]) for chunk in chunks])


def _single(array: NDArray[Any]) -> float:
    if array.size != 1:
        raise FeedError(f"the output of one chunk has shape {array.shape}; expected a single probability")
    return float(array.reshape(-1)[0])
