"""Recurrent networks: an LSTM and a GRU on spoken digits.

EDGEKIT_DATA=<folder> python scripts/bench/recurrent.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from commands import edgekit, entry
from models import WORK
from results import Figure, Result, load_average, publish
from spoken_digits import spoken_digits_model, spoken_digits_samples

FORMATS = ("tflite", "onnx")


def main() -> int:
    load = load_average()
    return max(publish(_digits("lstm"), load), publish(_digits("gru"), load))


def _digits(kind: str) -> Result:
    calibrate, evaluate = spoken_digits_samples()
    samples = ("--calibrate", calibrate, "--evaluate", evaluate, "--metric", "top1")
    fast, _ = edgekit("convert", spoken_digits_model(kind), "-o", WORK / "recurrent", *samples)
    small, _ = edgekit("convert", spoken_digits_model(kind), "-o", WORK / "small", *samples, "--prefer", "size")
    return Result(
        name=f"digits_{kind}",
        title=f"Spoken digits, {kind.upper()} of 64 units over 61 steps",
        figures=[*_files(fast, kind, ""), *_files(small, kind, ", prefer size")],
        samples="200 of the 1,600 training recordings to calibrate, 400 others to evaluate",
        timed=True,
    )


def _files(report: dict[str, Any], kind: str, beside: str) -> Iterator[Figure]:
    original = 100 * entry(report, "original")["accuracy"]
    for file_format in FORMATS:
        own, real = entry(report, f"int8.{file_format}"), entry(report, f"float32 {file_format}")
        name = f"int8 {file_format}{beside}"
        yield Figure(f"drop, {name}", original - 100 * own["accuracy"], "points", limit=0.5)
        agreement = own["agreement"]["equal_decisions"]
        yield Figure(f"agreement, {name}", agreement, limit=0.995, at_least=True)
        faster = file_format == "tflite" or kind == "lstm"
        ratio = own["latency"]["p50_ms"] / real["latency"]["p50_ms"]
        yield Figure(f"latency / float, {name}", ratio, limit=0.8 if faster and not beside else None)
        size = own["size_bytes"] / real["size_bytes"]
        yield Figure(f"size / float, {name}", size, limit=0.45 if beside else None)


if __name__ == "__main__":
    sys.exit(main())
