"""dgaintel (Embedding, Conv1D and LSTM in a file of Keras 2.2.4) on real and generated domain names: int8 against the original.

python scripts/bench/dgaintel.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit, entry, peer
from domain_names import features, generated_names, real_names
from models import WORK, packaged_file
from results import Figure, Result, load_average, publish

FORMATS = ("tflite", "onnx")
NAMES, CALIBRATION = 8000, 500
"""Half of the names are real, so that the share of right answers is the balanced accuracy."""


def main() -> int:
    load = load_average()
    calibrate, evaluate = domain_samples()
    model = packaged_file("dgaintel", "dgaintel/domain_classifier_model.h5")
    samples = ("--calibrate", calibrate, "--evaluate", evaluate, "--metric", "binary-accuracy")
    reports = {"": samples, ", prefer size": (*samples, "--prefer", "size")}
    figures: list[Figure] = []
    for beside, options in reports.items():
        report, _ = edgekit("convert", model, "-o", WORK / f"dgaintel{beside[-4:]}", *options)
        figures += _figures(report, beside)
    figures += _peer_figures(model, evaluate)
    result = Result(
        name="dgaintel",
        title="dgaintel: generated domain names, Embedding, Conv1D and LSTM of Keras 2.2.4",
        figures=figures,
        samples=f"{NAMES - CALIBRATION:,} names to evaluate, half of them real (Tranco's list, universities), "
        f"half of four families; {CALIBRATION} others to calibrate",
        timed=True,
    )
    return publish(result, load)


def domain_samples() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz: ``domain_input`` and ``y``, 1 for a generated name."""
    x = features([*real_names(NAMES // 2), *generated_names(NAMES // 2)])
    y = np.repeat(np.array([0, 1]), NAMES // 2)
    chosen = np.arange(NAMES) % (NAMES // CALIBRATION) == 0
    paths = WORK / "dgaintel_calibrate.npz", WORK / "dgaintel_evaluate.npz"
    WORK.mkdir(parents=True, exist_ok=True)
    for path, rows in zip(paths, (chosen, ~chosen), strict=True):
        np.savez(path, domain_input=x[rows], y=y[rows])
    return paths


def _figures(report: dict[str, Any], beside: str) -> Iterator[Figure]:
    original = 100 * entry(report, "original")["accuracy"]
    yield Figure(f"balanced accuracy, original{beside}", original, "%")
    for file_format in FORMATS:
        own, real = entry(report, f"int8.{file_format}"), entry(report, f"float32 {file_format}")
        name = f"int8 {file_format}{beside}"
        yield Figure(f"drop, {name}", original - 100 * own["accuracy"], "points", limit=0.5)
        ratio = own["latency"]["p50_ms"] / real["latency"]["p50_ms"]
        latency = f"float {1000 * real['latency']['p50_ms']:.0f} us"
        yield Figure(f"latency / float, {name}", ratio, limit=None if beside else 1.0, beside=latency)
        yield Figure(f"size / float, {name}", own["size_bytes"] / real["size_bytes"])


def _peer_figures(model: Path, evaluate: Path) -> Iterator[Figure]:
    """ONNX Runtime's own dynamic quantization, of edgekit's float file: it reads no Keras."""
    folder = WORK / "dgaintel_peer"
    edgekit("convert", model, "-o", folder, "--precision", "float32", "--to", "onnx", "--no-checks")
    real, quantized = folder / f"{model.stem}.float32.onnx", folder / "peer.onnx"
    peer("onnxruntime-dynamic", real, evaluate, quantized)
    options = ("--against", real, "--samples", evaluate, "--metric", "binary-accuracy")
    report, _ = edgekit("check", quantized, *options)
    yield Figure("drop, ONNX Runtime dynamic", report["entries"][1]["drop_points"], "points")
    timed, _ = edgekit("bench", real, quantized)
    yield Figure("latency / float, ONNX Runtime dynamic", timed["results"][1]["ratio"]["value"])
    yield Figure("size / float, ONNX Runtime dynamic", quantized.stat().st_size / real.stat().st_size)


if __name__ == "__main__":
    sys.exit(main())
