"""MLPerf Tiny's trained reference networks, beside the int8 files that its makers ship (runs 1 and 2 of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/mlperf_tiny.py

ResNet8: accuracy on 5,000 CIFAR-10 pictures. The anomaly and keyword networks: SQNR against the original framework.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commands import edgekit, entry
from models import WORK, cifar_samples, data_file
from results import Figure, Result, publish
from sounds import anomaly_samples, keyword_samples

FORMATS = ("tflite", "onnx")
NOISE = 0.003
"""50 dB below the loudest sample: what a microphone in a quiet room adds."""


def main() -> int:
    found = [publish(_resnet8()), publish(_anomaly()), publish(_keywords(NOISE)), publish(_keywords(0.0))]
    return max(found)


def _resnet8() -> Result:
    calibrate, evaluate = cifar_samples()
    model = data_file("mlperf_tiny/pretrainedResnet.h5")
    report = _converted(model, calibrate, evaluate)
    peer = _checked(data_file("mlperf_tiny/pretrainedResnet_quant.tflite"), model, evaluate)
    reference = 100 * entry(peer, "pretrainedResnet_quant.tflite")["accuracy"]
    original = 100 * entry(report, "original")["accuracy"]
    return Result(
        name="mlperf_resnet8",
        title="MLPerf Tiny ResNet8, CIFAR-10",
        figures=list(_accuracies(report, original, reference)),
        samples="200 of cifar10_train.npz to calibrate, all 5,000 of cifar10_eval.npz to evaluate",
        notes=(f"reference: {report['reference']}", _twins(report)),
    )


def _accuracies(report: dict[str, Any], original: float, reference: float) -> Iterator[Figure]:
    yield Figure("top-1, original", original, "%")
    yield Figure("top-1, reference pretrainedResnet_quant.tflite", reference, "%")
    for file_format in FORMATS:
        own = entry(report, f"int8.{file_format}")
        accuracy = 100 * own["accuracy"]
        beside = f"{own['agreement']['sqnr_db']:.1f} dB, same top {own['agreement']['equal_decisions']:.4f}"
        yield Figure(f"top-1, int8 {file_format}", accuracy, "%", limit=reference, at_least=True, beside=beside)
        yield Figure(f"drop, int8 {file_format}", original - accuracy, "points", limit=0.3)


def _anomaly() -> Result:
    calibrate, evaluate = anomaly_samples()
    model = data_file("mlperf_tiny/ad01.h5")
    report = _converted(model, calibrate, evaluate)
    return Result(
        name="mlperf_ad01",
        title="MLPerf Tiny anomaly detection (dense autoencoder)",
        figures=list(_agreements(report, data_file("mlperf_tiny/ad01_int8.tflite"), model, evaluate)),
        samples="1,000 to calibrate and 4,000 to evaluate: log-mel spectra of spoken_digits.npz by the ToyADMOS recipe",
        notes=(f"reference: {report['reference']}", _twins(report)),
    )


def _keywords(noise: float) -> Result:
    calibrate, evaluate = keyword_samples(noise)
    model = data_file("mlperf_tiny/kws_ref_model")
    padding = ", with a microphone's noise" if noise else ", padded with digital silence"
    report = _converted(model, calibrate, evaluate)
    return Result(
        name="mlperf_kws" if noise else "mlperf_kws_silence",
        title="MLPerf Tiny keyword spotting (depthwise-separable CNN, SavedModel)" + padding,
        figures=list(_agreements(report, data_file("mlperf_tiny/kws_ref_model.tflite"), model, evaluate)),
        samples="200 to calibrate and 1,000 to evaluate: MFCCs of spoken_digits.npz by the benchmark's own recipe",
        notes=(f"reference: {report['reference']}", _twins(report)),
    )


def _agreements(report: dict[str, Any], peer: Path, model: Path, evaluate: Path) -> Iterator[Figure]:
    theirs = entry(_checked(peer, model, evaluate), peer.name)["agreement"]
    yield Figure(f"SQNR, reference {peer.name}", theirs["sqnr_db"], "dB", beside=_decisions(theirs))
    for file_format in FORMATS:
        own = entry(report, f"int8.{file_format}")["agreement"]
        yield Figure(f"SQNR, int8 {file_format}", own["sqnr_db"], "dB", 30.0, at_least=True, beside=_decisions(own))


def _decisions(agreement: dict[str, Any]) -> str:
    return f"same top {agreement['equal_decisions']:.4f}, largest error {agreement['largest_error']:.3g}"


def _converted(model: Path, calibrate: Path, evaluate: Path) -> dict[str, Any]:
    report, _ = edgekit("convert", model, "-o", WORK / "mlperf", "--calibrate", calibrate, "--evaluate", evaluate)
    return report


def _checked(file: Path, model: Path, evaluate: Path) -> dict[str, Any]:
    report, _ = edgekit("check", file, "--against", model, "--samples", evaluate)
    return report


def _twins(report: dict[str, Any]) -> str:
    twins = report["twins"]["agreement"]
    return (
        f"the two int8 files: {twins['equal_values']:.4%} of the output integers equal, "
        f"{twins['equal_samples']:.2%} of the samples equal in every output, same top {twins['equal_decisions']:.4%}"
    )


if __name__ == "__main__":
    sys.exit(main())
