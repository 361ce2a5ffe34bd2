"""Features of the spoken digits, computed as the two audio networks of MLPerf Tiny expect theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from models import WORK, data_file
from numpy.typing import NDArray
from scipy import fft, signal

Samples = NDArray[np.float32]


def keyword_samples(noise: float, calibration: int = 200, evaluation: int = 1000) -> tuple[Path, Path]:
    """(calibration, evaluation) .npz for the keyword network: (N, 49, 10, 1) coefficients of one second of speech each.

    The recordings are padded to a second with zeros, which no microphone gives: ``noise``, as a part of the loudest sample, is
    the deviation of white noise laid over them.
    """
    calibrate, evaluate = (WORK / f"kws_{noise}_{part}.npz" for part in ("calibrate", "evaluate"))
    if not (calibrate.exists() and evaluate.exists()):
        rows = _shuffled(np.load(data_file("spoken_digits.npz"))["x"])[: calibration + evaluation].astype(np.float64)
        rows += np.random.default_rng(1).normal(0, 1, rows.shape) * noise * rows.max(axis=1, keepdims=True)
        _save(np.stack([keyword_features(row) for row in rows]), calibration, calibrate, evaluate)
    return calibrate, evaluate


def anomaly_samples(calibration: int = 1000, evaluation: int = 4000) -> tuple[Path, Path]:
    """(calibration, evaluation) .npz for the anomaly network: (N, 640), five frames of a log-mel spectrum each."""
    calibrate, evaluate = WORK / "ad01_calibrate.npz", WORK / "ad01_evaluate.npz"
    if not (calibrate.exists() and evaluate.exists()):
        data = np.load(data_file("spoken_digits.npz"))
        sound = np.concatenate([row[:length] for row, length in zip(data["x"], data["length"], strict=True)])
        windows = _shuffled(anomaly_features(sound[: 512 * 2 * (calibration + evaluation)]))
        _save(windows[: calibration + evaluation], calibration, calibrate, evaluate)
    return calibrate, evaluate


def basic_pitch_samples(calibration: int = 48, evaluation: int = 48) -> tuple[Path, Path]:
    """(calibration, evaluation) .npz for basic-pitch: (N, 43844, 1), two seconds of speech at 22,050 Hz each, -1..1."""
    calibrate, evaluate = WORK / "basic_pitch_calibrate.npz", WORK / "basic_pitch_evaluate.npz"
    if not (calibrate.exists() and evaluate.exists()):
        data, count = np.load(data_file("spoken_digits.npz")), calibration + evaluation
        rows = list(zip(data["x"], data["length"], strict=True))
        order = np.random.default_rng(0).permutation(len(rows))[: 8 * count]
        wave = np.concatenate([rows[index][0][: rows[index][1]] for index in order]) / 32768
        windows = signal.resample_poly(wave, 441, 160)[: count * 43_844].reshape(count, 43_844, 1)
        _save(windows.astype(np.float32), calibration, calibrate, evaluate)
    return calibrate, evaluate


def keyword_features(recording: NDArray[np.float64]) -> Samples:
    """One second at 8 kHz as (49, 10, 1) mel-frequency cepstral coefficients.

    MLPerf Tiny's keyword spotting: 16 kHz, scaled by the recording's maximum, Hann windows of 30 ms every 20 ms, magnitude
    spectra of 512 points, 40 mel bands from 20 to 4000 Hz, log(x + 1e-6), DCT-II over sqrt(2 * 40), the first ten.
    """
    wave = signal.resample_poly(recording, 2, 1)
    wave /= max(wave.max(), 1.0)
    frames = np.lib.stride_tricks.sliding_window_view(wave, 480)[::320]
    spectra = np.abs(np.fft.rfft(frames * signal.windows.hann(480, sym=False), 512))
    log_mel = np.log(spectra @ mel_bands(40, 512, 16000, 20.0, 4000.0) + 1e-6)
    coefficients = fft.dct(log_mel, type=2)[:, :10] / np.sqrt(2 * 40)
    return coefficients[..., np.newaxis].astype(np.float32)


def anomaly_features(sound: NDArray[np.int16]) -> Samples:
    """(frames - 4, 640): windows of five successive frames of 128 mel bands, 10 log10 of the power, from -85 to 15 dB.

    The ToyADMOS recipe (1,024-point spectra every 512 samples at 16 kHz), on speech in place of toy cars. The recordings have
    8 kHz; they are read as if they had 16, so that the upper bands hold sound too. -85..15 is the range that the int8
    encoding of the reference's input covers.
    """
    wave = sound.astype(np.float64) / 32768
    frames = np.lib.stride_tricks.sliding_window_view(wave, 1024)[::512]
    power = np.abs(np.fft.rfft(frames * signal.windows.hann(1024, sym=False))) ** 2
    bands = mel_bands(128, 1024, 16000, 0.0, 8000.0)
    # Triangles of unit area over Hertz, as in the spectrograms that the network was trained on.
    level = 10 * np.log10(power @ (bands / (np.maximum(bands.sum(axis=0), 1e-9) * 16000 / 1024)) + 1e-12)
    clipped = np.clip(level, -85.0, 15.0).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(clipped, 5, axis=0)
    return np.ascontiguousarray(windows.transpose(0, 2, 1).reshape(len(windows), 640))


def mel_bands(count: int, points: int, rate: int, low: float, high: float) -> NDArray[np.float64]:
    """(points / 2 + 1, count): triangles, evenly spaced on the mel scale 1127 ln(1 + f / 700)."""
    mel = 1127.0 * np.log1p(np.linspace(0, rate / 2, points // 2 + 1) / 700.0)
    edges = np.linspace(1127.0 * np.log1p(low / 700.0), 1127.0 * np.log1p(high / 700.0), count + 2)
    rising = (mel[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    bands: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    bands[0] = 0.0  # the constant part of the sound belongs to no band
    return bands


def _shuffled(rows: NDArray[Any]) -> NDArray[Any]:
    return rows[np.random.default_rng(0).permutation(len(rows))]


def _save(rows: NDArray[Any], calibration: int, calibrate: Path, evaluate: Path) -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    np.savez(calibrate, x=rows[:calibration])
    np.savez(evaluate, x=rows[calibration:])
