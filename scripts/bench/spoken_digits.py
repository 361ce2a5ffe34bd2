#!/usr/bin/env python
"""Train the networks of the benchmarks on spoken digits, once: an LSTM, a GRU and two small Transformers.

Usage: spoken_digits.py. Writes digits_lstm.onnx and its neighbours and the samples to out/bench (or EDGEKIT_BENCH).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sounds
from digit_networks import RECURRENT, TRANSFORMERS, digit_network
from digit_training import BATCH, fit
from models import WORK, data_file
from numpy.typing import NDArray
from scipy import signal

EPOCHS = 60
FASTEST_RATE = {"recurrent": 6e-3, "transformer": 2e-3}


def main() -> None:
    for kind in (*RECURRENT, *TRANSFORMERS):
        print(f"{spoken_digits_model(kind)}: accuracy {_accuracy(spoken_digits_model(kind)):.4f}")


def spoken_digits_model(kind: str, epochs: int = EPOCHS) -> Path:
    """``kind`` as in `digit_networks`: ``x`` (N, 61, 40) log-mel spectrograms to ``logits`` (N, 10).

    With fewer ``epochs`` a network that learned something, for where its accuracy does not matter.
    """
    path = WORK / (f"digits_{kind}.onnx" if epochs == EPOCHS else f"digits_{kind}_{epochs}_epochs.onnx")
    if not path.exists():
        spoken_digits_samples()
        training = np.load(WORK / "digits_train.npz")
        _train(kind, training["x"], training["y"], epochs, path)
    return path


def spoken_digits_samples() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz: ``x`` (N, 61, 40), ``y``. 400 recordings are kept from training for evaluation."""
    paths = [WORK / f"digits_{part}.npz" for part in ("calibrate", "evaluate", "train")]
    if not all(path.exists() for path in paths):
        data = np.load(data_file("spoken_digits.npz"))
        order = np.random.default_rng(0).permutation(len(data["y"]))
        x = np.stack([log_mel(row) for row in data["x"][order]])
        y = data["y"][order].astype(np.int64)
        WORK.mkdir(parents=True, exist_ok=True)
        for path, part in zip(paths, (slice(400, 600), slice(0, 400), slice(400, None)), strict=True):
            np.savez(path, x=x[part], y=y[part])
    return paths[0], paths[1]


def log_mel(recording: NDArray[np.int16]) -> NDArray[np.float32]:
    """One second at 8 kHz as (61, 40): Hann windows of 32 ms every 16 ms, 40 mel bands, log(x + 1e-3), scaled."""
    frames = np.lib.stride_tricks.sliding_window_view(recording / 32768, 256)[::128]
    spectra = np.abs(np.fft.rfft(frames * signal.windows.hann(256, sym=False)))
    bands = sounds.mel_bands(40, 256, 8000, 60.0, 4000.0)
    return ((np.log(spectra @ bands + 1e-3) + 3.0) / 2.0).astype(np.float32)


def _train(kind: str, x: NDArray[np.float32], y: NDArray[np.int64], epochs: int, path: Path) -> None:
    import torch

    torch.manual_seed(0)
    network = digit_network(kind)
    rate = FASTEST_RATE["recurrent" if kind in RECURRENT else "transformer"]
    fit(network, x, y, torch.optim.Adam(network.parameters()), rate, epochs * (len(x) // BATCH))
    torch.backends.mha.set_fastpath_enabled(False)  # torch's fused encoder block has no form in ONNX
    torch.onnx.export(
        network.eval(),
        (torch.from_numpy(x[:1]),),
        str(path),
        input_names=["x"],
        output_names=["logits"],
        dynamic_axes={"x": {0: "batch"}, "logits": {0: "batch"}},
        dynamo=False,
    )


def _accuracy(path: Path) -> float:
    import onnxruntime

    evaluation = np.load(spoken_digits_samples()[1])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": evaluation["x"]})
    return float((logits.argmax(1) == evaluation["y"]).mean())


if __name__ == "__main__":
    main()
