"""Files for microcontrollers in TensorFlow Lite Micro: integers beside those of LiteRT, memory, agreement with the source.

EDGEKIT_DATA=<folder> python scripts/bench/microcontroller.py

Converts three of the MLPerf Tiny reference networks and the digits example for ``--target microcontroller``, whose checks run in
Micro's own interpreter, and puts the reference int8 files of MLPerf Tiny through the same. Needs `edgekit-ml[microcontroller]`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit, entry
from digits_cnn import digits_cnn
from models import WORK, cifar_samples, data_file
from results import Figure, Result, publish
from sounds import anomaly_samples, keyword_samples
from spoken_digits import spoken_digits_samples

from edgekit.protocols import SessionOptions
from edgekit_runtimes.litert import LiteRt
from edgekit_runtimes.tflite_micro import TfliteMicro

NOISE = 0.003
"""As in mlperf_tiny.py: 50 dB below the loudest sample."""
INPUTS = 50
OUT = WORK / "microcontroller"


def main() -> int:
    runs = (
        ("ResNet8", "pretrainedResnet.h5", "pretrainedResnet_quant.tflite", cifar_samples(), ("--metric", "top1")),
        ("ad01", "ad01.h5", "ad01_int8.tflite", anomaly_samples(), ()),
        ("kws", "kws_ref_model", "kws_ref_model.tflite", keyword_samples(NOISE), ()),
    )
    figures: list[Figure] = []
    for name, model, peer, (calibrate, evaluate), options in runs:
        source, reference = data_file(f"mlperf_tiny/{model}"), data_file(f"mlperf_tiny/{peer}")
        theirs = _checked(reference, source, evaluate)
        figures += _figures(name, _converted(source, calibrate, evaluate, *options), source.stem, theirs)
        figures += _equal(f"{name}, the reference int8 file", reference)
    calibrate, evaluate = spoken_digits_samples()
    cnn = digits_cnn()
    figures += _figures("spoken digits CNN", _converted(cnn, calibrate, evaluate, "--metric", "top1"), cnn.stem, None)
    return publish(
        Result(
            name="microcontroller",
            title="Files for microcontrollers in TensorFlow Lite Micro",
            figures=figures,
            samples="as in the runs of mlperf_tiny.py and integer_only.py",
            notes=(f"integers are compared on {INPUTS} random inputs", "arenas are those of a 64-bit machine"),
        )
    )


def _converted(model: Path, calibrate: Path, evaluate: Path, *options: str) -> dict[str, Any]:
    samples = ("--calibrate", calibrate, "--evaluate", evaluate)
    report, _ = edgekit("convert", model, "-o", OUT, "--target", "microcontroller", *samples, *options)
    return report


def _checked(file: Path, source: Path, evaluate: Path) -> dict[str, Any]:
    command = ("check", file, "--against", source, "--samples", evaluate, "--runtime", "tflite_micro")
    report, _ = edgekit(*command)
    return entry(report, file.name)


def _figures(name: str, report: dict[str, Any], stem: str, peer: dict[str, Any] | None) -> Iterator[Figure]:
    own, beside = entry(report, "int8.tflite"), ("", "", "")
    if peer is not None:
        beside = (
            f"the reference int8 file: {peer['agreement']['sqnr_db']:.1f} dB",
            f"the reference int8 file: {peer['agreement']['equal_decisions']:.4f}",
            f"the reference int8 file: {peer['placement']['arena_bytes'] / 1000:.1f} kB",
        )
    yield Figure(f"{name}: SQNR in Micro against the source", own["agreement"]["sqnr_db"], "dB", beside=beside[0])
    yield Figure(f"{name}: same top as the source", own["agreement"]["equal_decisions"], beside=beside[1])
    yield Figure(f"{name}: arena", own["placement"]["arena_bytes"] / 1000, "kB", beside=beside[2])
    yield Figure(f"{name}: file", own["size_bytes"] / 1000, "kB")
    yield from _equal(name, OUT / f"{stem}.int8.tflite")


def _equal(name: str, path: Path) -> Iterator[Figure]:
    """How far Micro's integers are from those of LiteRT's reference kernels."""
    micro, reference = (
        TfliteMicro().open(path, SessionOptions()),
        LiteRt().open(path, SessionOptions(kernels="reference")),
    )
    random = np.random.default_rng(0)
    apart = []
    for _ in range(INPUTS):
        feeds = {s.name: random.integers(-128, 128, tuple(map(int, s.shape))).astype(s.dtype) for s in micro.inputs}
        expected = reference.run(feeds)
        apart += [np.abs(array.astype(int) - expected[key]).ravel() for key, array in micro.run(feeds).items()]
    steps = np.concatenate(apart)
    yield Figure(f"{name}: integers equal to LiteRT's reference kernels'", float((steps == 0).mean()))
    yield Figure(f"{name}: largest difference", float(steps.max()), "steps", limit=8)


if __name__ == "__main__":
    sys.exit(main())
