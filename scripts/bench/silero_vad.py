"""silero-vad, a speech detector with an LSTM, over streams of speech, silence and noise: float and int8 files of both formats.

EDGEKIT_DATA=<folder> python scripts/bench/silero_vad.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from commands import edgekit, peer
from models import WORK
from numpy.typing import NDArray
from results import Figure, Result, load_average, publish
from speech_stream import noise_chunks, silero, silero_samples, speech_chunks, speech_probabilities

FORMATS = ("tflite", "onnx")
PRECISIONS = ("float32", "int8-dynamic", "int8")
SPEECH = 0.5
PEER = "ONNX Runtime dynamic"
MODELS = {"without If": "silero_vad_16k_op15.onnx", "with If": "silero_vad.onnx"}
"""The package's file for 16 kHz alone, and its main file, which chooses between two networks by the sample rate."""


def main() -> int:
    load = load_average()
    sounds = {"speech": speech_chunks(seed=2, recordings=400), "no speech": noise_chunks(seed=2, seconds=120)}
    result = Result(
        name="silero_vad",
        title="silero-vad at 16 kHz, its state carried from chunk to chunk",
        figures=[figure for kind, name in MODELS.items() for figure in _figures(kind, silero(name), sounds)],
        samples=", ".join(f"{len(chunks):,} chunks of {kind}" for kind, chunks in sounds.items())
        + ", 32 ms each; 1,000 other chunks of speech to calibrate",
        timed=True,
    )
    return publish(result, load)


def _figures(kind: str, model: Path, sounds: Mapping[str, NDArray[np.float32]]) -> Iterator[Figure]:
    expected = {sound: speech_probabilities(model, chunks) for sound, chunks in sounds.items()}
    files = {**dict(_files(model)), (PEER, "onnx"): _peer_file(model)}
    for (precision, file_format), path in files.items():
        name = f"{precision} {file_format}, {kind}"
        for sound, chunks in sounds.items():
            found = speech_probabilities(path, chunks)
            same = float(np.mean((found > SPEECH) == (expected[sound] > SPEECH)))
            limit = None if precision == PEER else 0.99
            yield Figure(f"equal decisions, {sound}, {name}", same, limit=limit, at_least=True)
    medians = _medians([path for (precision, _), path in files.items() if precision != PEER])  # its sizes are open
    for precision, file_format in files:
        if precision not in ("float32", PEER):
            ratio = medians[files[precision, file_format]] / medians[files["float32", file_format]]
            beside = f"float {1000 * medians[files['float32', file_format]]:.1f} us"
            limit = 1.0 if precision == "int8" else None
            yield Figure(f"latency / float, {precision} {file_format}, {kind}", ratio, limit=limit, beside=beside)


def _files(model: Path) -> Iterator[tuple[tuple[str, str], Path]]:
    fixed = ("--input-shape", "input=1x576", "--input-value", "sr=16000", "--no-checks")
    for precision in PRECISIONS:
        folder, samples = WORK / "silero", ("--calibrate", silero_samples()) if precision == "int8" else ()
        edgekit("convert", model, "-o", folder, "--precision", precision, *samples, *fixed)
        for file_format in FORMATS:
            yield (precision, file_format), folder / f"{model.stem}.{precision}.{file_format}"


def _peer_file(model: Path) -> Path:
    """ONNX Runtime's own dynamic quantization of the same file."""
    path = WORK / "silero" / f"{model.stem}.peer.onnx"
    peer("onnxruntime-dynamic", model, silero_samples(), path)
    return path


def _medians(files: list[Path]) -> dict[Path, float]:
    """Milliseconds a call, interleaved."""
    document, _ = edgekit("bench", *files)
    return {
        path: entry["latency"]["p50_ns"]["value"] / 1e6 for path, entry in zip(files, document["results"], strict=True)
    }


if __name__ == "__main__":
    sys.exit(main())
