"""MLPerf Tiny's four tasks, timed and checked by `edgekit bench --suite mlperf-tiny` (run 2b of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/mlperf_tiny_suite.py

The reference files of three tasks, and edgekit's int8 files of the same networks; person detection (MobileNetV1, a quarter of
the channels, 96 x 96) has the structure alone, since no trained one is at hand: its latency counts, its quality doesn't exist.
Keyword spotting and anomaly detection run on features of other recordings than those they were trained for: they have an
agreement with the float file, no quality.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit
from models import WORK, cifar_samples, data_file
from results import Figure, Result, load_average, publish
from sounds import anomaly_samples, keyword_samples

MODELS, DATA = WORK / "mlperf_suite" / "models", WORK / "mlperf_suite" / "data"
REFERENCES = (
    "pretrainedResnet",
    "pretrainedResnet_quant",
    "ad01_fp32",
    "ad01_int8",
    "kws_ref_model",
    "kws_ref_model_float32",
)
PERSON = "vww_mobilenet_025_96_untrained"


def main() -> int:
    load = load_average()
    prepare()
    found, _ = edgekit("bench", "--suite", "mlperf-tiny", "--models", MODELS, "--data", DATA, "--confidence", "90%")
    result = Result(
        name="mlperf_tiny_suite",
        title="MLPerf Tiny's tasks: latency and quality",
        figures=list(_figures(found)),
        samples="cifar10_eval.npz; features of spoken_digits.npz (no labels) for keywords and anomalies; none for persons",
        timed=True,
        notes=(f"others took {100 * (found['bench']['elsewhere'] or 0):.0f} % of the processor's time meanwhile",),
    )
    return publish(result, load)


def prepare() -> None:
    """The folders that the suite reads."""
    for folder in (MODELS, DATA):
        folder.mkdir(parents=True, exist_ok=True)
    calibrations = {"ic": cifar_samples(), "kws": keyword_samples(0.003), "ad": anomaly_samples()}
    for name, (_, evaluate) in calibrations.items():
        shutil.copyfile(evaluate, DATA / f"{name}.npz")
    for name in REFERENCES:
        shutil.copyfile(data_file(f"mlperf_tiny/{name}.tflite"), MODELS / f"{name}.tflite")
    sources = {"ic": "pretrainedResnet.h5", "kws": "kws_ref_model", "ad": "ad01.h5"}
    for name, source in sources.items():
        _convert(data_file(f"mlperf_tiny/{source}"), calibrations[name][0])
    # The float .tflite beside the keyword network answers otherwise than the SavedModel that the int8 files come from.
    float_file = MODELS / "kws_ref_model.float32.tflite"
    if not float_file.exists():
        edgekit(
            "convert", data_file("mlperf_tiny/kws_ref_model"), "-o", MODELS, "--precision", "float32", "--no-checks"
        )
    _convert(_person_detection(), _noise_pictures())


def _convert(model: Path, calibrate: Path) -> None:
    made = [MODELS / f"{model.stem}.int8.{suffix}" for suffix in ("tflite", "onnx")]
    if not all(path.exists() for path in made):
        edgekit("convert", model, "-o", MODELS, "--calibrate", calibrate, "--no-checks")


def _person_detection() -> Path:
    path = WORK / f"{PERSON}.keras"
    if not path.exists():
        import keras

        keras.utils.set_random_seed(0)
        keras.applications.MobileNet(input_shape=(96, 96, 3), alpha=0.25, weights=None, classes=2).save(path)
    return path


def _noise_pictures() -> Path:
    path = WORK / "noise_96.npz"
    np.savez(path, x=np.random.default_rng(0).uniform(-1, 1, (32, 96, 96, 3)).astype(np.float32))
    return path


def _figures(found: dict[str, Any]) -> Iterator[Figure]:
    for entry in found["entries"]:
        result = found["bench"]["results"][entry["result"]]
        p50, rule = result["latency"]["p50_ns"], result["latency"]["early_stopping"][0]
        beside = (
            f"{p50['low'] / 1e3:.1f} to {p50['high'] / 1e3:.1f}; p90 by MLPerf's rule {rule['latency_ns'] / 1e3:.1f}"
        )
        yield Figure(f"{entry['task']}, {Path(entry['file']).name}: p50", p50["value"] / 1e3, "us", beside=beside)
        quality = entry["quality"]
        if quality is None:
            continue
        agreement = "" if quality["sqnr_db"] is None else f"{quality['sqnr_db']:.1f} dB to {quality['reference']}"
        if quality["value"] is not None:
            yield Figure(f"  {quality['metric']}", quality["value"], beside=f"target {quality['target']}; {agreement}")
        elif agreement:
            yield Figure("  agreement", quality["sqnr_db"], "dB", beside=f"with {quality['reference']}")


if __name__ == "__main__":
    sys.exit(main())
