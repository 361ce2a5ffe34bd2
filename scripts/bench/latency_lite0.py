"""Single-thread latency of EfficientNet-Lite0, all files interleaved in one process (run 5c of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/latency_lite0.py [--min-seconds 5] [--no-timing]

Against float files, ONNX Runtime's own int8 file (unsigned activations) and that of Google's quantizer (static int8). Then where
the ops of the two int8 files run: one XNNPACK partition, at most one transpose, integer kernels only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commands import edgekit, peer
from efficientnet_lite0 import float_tflite
from models import WORK, efficientnet_lite0, imagenet_samples
from results import Figure, Result, load_average, publish

from edgekit.benchmark import TimingRequest, contender, time_here
from edgekit.latency import Latency, Timing, ratio
from edgekit.protocols import Silent

FLOAT_FORMS = ("Conv", "FusedConv", "Add", "Gemm", "FusedGemm", "MatMul")
"""Ops that must not be left in ONNX Runtime's optimized graph: their integer forms have other names."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--min-seconds", type=float, default=5.0)
    parser.add_argument("--no-timing", action="store_true")
    arguments = parser.parse_args()
    files = _files()
    found = [publish(_placement(files))]
    if not arguments.no_timing:
        load = load_average()
        found.append(publish(_timed(files, arguments.min_seconds), load))
    return max(found)


def _files() -> dict[str, Path]:
    """Every file to time, by the name in the results; the int8 ones on the same 100 pictures."""
    model, calibrate = efficientnet_lite0(), imagenet_samples()[0]
    float_file, own = float_tflite(), WORK / "latency"
    edgekit("convert", model, "-o", own, "--calibrate", calibrate, "--no-checks")
    files = {
        "int8 .onnx": own / f"{model.stem}.int8.onnx",
        "ONNX Runtime's int8": WORK / "latency_onnxruntime.onnx",
        "float .onnx": float_file.with_suffix(".onnx"),
        "int8 .tflite": own / f"{model.stem}.int8.tflite",
        "litert-quantizer's int8": WORK / "latency_litert.tflite",
        "float .tflite": float_file,
    }
    peer("onnxruntime-minmax", model, calibrate, files["ONNX Runtime's int8"])
    peer("litert-quantizer", float_file, calibrate, files["litert-quantizer's int8"])
    return files


def _timed(files: dict[str, Path], min_seconds: float) -> Result:
    timing = Timing(min_seconds=min_seconds, max_seconds=6 * min_seconds)
    contenders = tuple(contender(path, threads=1) for path in files.values())
    latencies = dict(zip(files, time_here(TimingRequest(contenders, timing, False), Silent()), strict=True))
    return Result(
        name="latency_lite0",
        title="Latency of EfficientNet-Lite0, one thread",
        figures=[*_medians(latencies), *_ratios(latencies)],
        samples="one picture a call, random input",
        notes=("ratios are medians over rounds in which all files take turns, with their 95 % interval",),
        timed=True,
    )


def _medians(latencies: dict[str, Latency]) -> Iterator[Figure]:
    for name, found in latencies.items():
        spread = f"{found.p50_ns.low / 1e6:.2f} to {found.p50_ns.high / 1e6:.2f}, p90 {found.p90_ns.value / 1e6:.2f}"
        yield Figure(name, found.p50_ns.value / 1e6, "ms", beside=f"{spread}, {found.runs} runs")


def _ratios(latencies: dict[str, Latency]) -> Iterator[Figure]:
    for name, baseline, limit in (
        ("int8 .onnx", "ONNX Runtime's int8", 1.02),
        ("int8 .onnx", "float .onnx", 0.6),
        ("int8 .tflite", "litert-quantizer's int8", 1.02),
        ("int8 .tflite", "float .tflite", 0.45),
    ):
        found = ratio(latencies[name], latencies[baseline])
        beside = f"{found.low:.3f} to {found.high:.3f}"
        yield Figure(f"{name} over {baseline}", found.value, "", limit, beside=beside)


def _placement(files: dict[str, Path]) -> Result:
    onnx, tflite = _placed(files["int8 .onnx"]), _placed(files["int8 .tflite"])
    left = [op["op"] for op in onnx["ops"] if op["op"] in FLOAT_FORMS]
    transposes = sum(op["op"] == "TRANSPOSE" for op in tflite["ops"])
    outside = [op["op"] for op in tflite["ops"] if op["device"] != "XNNPACK"]
    return Result(
        name="placement_lite0",
        title="Where the ops of EfficientNet-Lite0's int8 files run",
        figures=[
            Figure("XNNPACK partitions, .tflite", tflite["partitions"], "", 1),
            Figure("ops outside XNNPACK, .tflite", len(outside), "", 0, beside=", ".join(outside)),
            Figure("transposes, .tflite (one at the input: it is NCHW)", transposes, "", 1),
            Figure("Conv, Add, Gemm left in float, .onnx", len(left), "", 0, beside=_counts(onnx["ops"])),
        ],
    )


def _placed(file: Path) -> dict[str, Any]:
    document, _ = edgekit("inspect", file, "--placement")
    placed: dict[str, Any] = document["placement"]
    return placed


def _counts(ops: list[dict[str, Any]]) -> str:
    names = [op["op"] for op in ops]
    return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))


if __name__ == "__main__":
    sys.exit(main())
