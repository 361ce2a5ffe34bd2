"""silero-vad over a stream: speech with pauses in chunks of 32 ms, and what a file says of each."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
from models import WORK, data_file
from numpy.typing import NDArray
from scipy import signal

import edgekit

SILERO_SHAPE = "input=1x576"
RATE = np.array(16000, np.int64)
CHUNK, CONTEXT = 512, 64
"""Samples that are new in a chunk, and those of the chunk before that stand in front of them."""


def silero() -> Path:
    """The package's ONNX file for 16 kHz without control flow: ``input`` (batch, 576), ``state`` (2, batch, 128), ``sr``."""
    found = importlib.util.find_spec("silero_vad")
    if found is None or not found.submodule_search_locations:
        sys.exit("silero-vad is not installed: scripts/bench/prepare does it")
    return Path(found.submodule_search_locations[0]) / "data" / "silero_vad_16k_op15.onnx"


def silero_samples(recordings: int = 40, chunks: int = 200) -> Path:
    """.npz to calibrate on: inputs, and the states that the float model has come to when they arrive."""
    path = WORK / "silero_calibrate.npz"
    if not path.exists():
        inputs = speech_chunks(seed=0, recordings=recordings)
        states, _ = decisions(silero(), inputs)
        chosen = np.random.default_rng(0).permutation(len(inputs))[:chunks]
        WORK.mkdir(parents=True, exist_ok=True)
        np.savez(path, input=inputs[chosen, 0], state=states[chosen], sr=np.full(chunks, RATE))
    return path


def speech_chunks(seed: int, recordings: int) -> NDArray[np.float32]:
    """(chunks, 1, 576): spoken digits at 16 kHz, of various loudness, with pauses, over a quiet noise."""
    data, random = np.load(data_file("spoken_digits.npz")), np.random.default_rng([9, seed])
    parts: list[NDArray[Any]] = []
    for row in random.permutation(len(data["x"]))[:recordings]:
        wave = data["x"][row][: data["length"][row]].astype(np.float64)
        parts += [np.zeros(int(8000 * random.uniform(0.1, 0.8))), wave / np.abs(wave).max() * random.uniform(0.2, 0.8)]
    sound = signal.resample_poly(np.concatenate(parts), 2, 1)
    sound = np.concatenate([np.zeros(CONTEXT), sound + random.normal(0, 0.002, len(sound))]).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(sound, CONTEXT + CHUNK)[::CHUNK]
    return np.ascontiguousarray(windows[:, np.newaxis])


def decisions(path: Path, chunks: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The state before each chunk, and whether the file takes it for speech."""
    state, states, speech = np.zeros((2, 1, 128), np.float32), [], []
    with edgekit.load(path) as model:
        for chunk in chunks:
            states.append(state)
            found = model.run({"input": chunk, "state": state, "sr": RATE})
            state = found["stateN"]
            speech.append(float(found["output"].reshape(())) > 0.5)
    return np.array(states), np.array(speech)
