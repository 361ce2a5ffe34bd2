"""An LSTM, a GRU and two small Transformers on spoken digits (run 7 of docs/results.md), beside the peers' dynamic quantization.

EDGEKIT_DATA=<folder> python scripts/bench/recurrent.py [lstm gru transformer decoder] [--min-seconds 1]

Accuracy and agreement of every file on 400 recordings that training has not seen; latencies of all files of a network
interleaved in one process, one thread.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from commands import edgekit, peer
from digit_networks import RECURRENT, TRANSFORMERS
from models import WORK
from numpy.typing import NDArray
from results import Figure, Result, load_average, publish
from spoken_digits import spoken_digits_model, spoken_digits_samples

import edgekit as on_device
from edgekit.benchmark import TimingRequest, contender, time_here
from edgekit.errors import EdgekitError
from edgekit.latency import Latency, Timing, ratio
from edgekit.protocols import Silent

SMALL = ", prefer size"
PEERS = {"ONNX Runtime's dynamic .onnx": "onnxruntime-dynamic", "litert-quantizer's dynamic .tflite": "litert-dynamic"}
FASTER, AS_FAST = 0.8, 1.02
"""Latency over float that int8 has to reach in TFLite, and in ONNX for the LSTM; elsewhere it may not be slower, noise aside."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", default=[*RECURRENT, *TRANSFORMERS])
    parser.add_argument("--min-seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    load = load_average()
    files = {kind: _files(kind) for kind in arguments.kinds}
    return max(publish(_digits(kind, files[kind], arguments.min_seconds), load) for kind in arguments.kinds)


def _files(kind: str) -> dict[str, Path]:
    """Every file of a network by the name in the results, edgekit's and the peers'."""
    model, (calibrate, _) = spoken_digits_model(kind), spoken_digits_samples()
    files = {}
    for beside, prefer in (("", "speed"), (SMALL, "size")):
        if beside and kind not in RECURRENT:
            continue
        folder = WORK / f"digits_{prefer}"
        for name, precision in (("float", "float32"), ("int8", "int8"), ("int8-dynamic", "int8-dynamic")):
            options = ("--calibrate", calibrate, "--precision", precision, "--prefer", prefer, "--no-checks")
            edgekit("convert", model, "-o", folder, *options)
            for suffix in (".tflite",) if beside else (".tflite", ".onnx"):
                files[f"{name} {suffix}{beside}"] = folder / f"{model.stem}.{precision}{suffix}"
    for name, command in PEERS.items():
        suffix = name.rpartition(" ")[2]
        files[name] = WORK / f"{model.stem}.{command}{suffix}"
        peer(command, model if suffix == ".onnx" else files["float .tflite"], calibrate, files[name])
    return files


def _digits(kind: str, files: dict[str, Path], min_seconds: float) -> Result:
    evaluation = np.load(spoken_digits_samples()[1])
    refused = _refused(files)
    files = {name: path for name, path in files.items() if name not in refused}
    decided = {name: _decisions(path, evaluation["x"]) for name, path in files.items()}
    original = _decisions(spoken_digits_model(kind), evaluation["x"])
    timing = Timing(min_seconds=min_seconds, max_seconds=6 * min_seconds)
    request = TimingRequest(tuple(contender(path, threads=1) for path in files.values()), timing, False)
    latencies = dict(zip(files, time_here(request, Silent()), strict=True))
    figures = [Figure("accuracy in float", _share(original, evaluation["y"]), "%", limit=93, at_least=True)]
    for name in files:
        figures += _judged(kind, name, decided[name], original, evaluation["y"])
        figures += _measured(kind, name, files, latencies)
    return Result(
        name=f"digits_{kind}",
        title=f"Spoken digits, {kind} of 64 units over 61 steps",
        figures=figures,
        samples="200 of the 1,600 training recordings to calibrate, 400 others to evaluate; one recording a call when timed",
        notes=(
            "latency over float: median over rounds in which all files take turns, with its 95 % interval",
            *(f"{name} does not load: {reason}" for name, reason in refused.items()),
        ),
        timed=True,
    )


def _refused(files: dict[str, Path]) -> dict[str, str]:
    """Files of peers that their runtime does not take, and what it says. One of edgekit's own ends the run."""
    reasons = {}
    for name in PEERS:
        try:
            on_device.load(files[name]).close()
        except EdgekitError as error:
            reasons[name] = str(error)
    return reasons


def _decisions(path: Path, inputs: NDArray[np.float32]) -> NDArray[np.int64]:
    with on_device.load(path) as model:
        return np.array([model.run({"x": one[np.newaxis]})["logits"].argmax() for one in inputs])


def _share(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    return 100 * float(np.mean(one == other))


def _judged(
    kind: str, name: str, found: NDArray[np.int64], original: NDArray[np.int64], labels: NDArray[np.int64]
) -> Iterator[Figure]:
    """What the file decides, against the original and the truth."""
    own = name.startswith("int8")
    drop, agreement = _share(original, labels) - _share(found, labels), _share(found, original)
    yield Figure(f"{name}: drop", drop, "points", limit=0.5 if own else None)
    yield Figure(f"{name}: same decision as the original", agreement, "%", limit=99.5 if own else None, at_least=True)


def _measured(kind: str, name: str, files: dict[str, Path], latencies: dict[str, Latency]) -> Iterator[Figure]:
    """Time and size, over those of the float file of the same form."""
    suffix = files[name].suffix
    beside = SMALL if name.endswith(SMALL) else ""
    baseline = f"float {suffix}{beside}"
    p50, size = latencies[name].p50_ns.value / 1e3, files[name].stat().st_size
    if name == baseline:
        yield Figure(f"{name}: latency", p50, "us", beside=f"{size / 1e3:.0f} KB")
        return
    over, own = ratio(latencies[name], latencies[baseline]), name.startswith("int8 ")
    wanted = FASTER if suffix == ".tflite" or kind == "lstm" else AS_FAST
    spread = f"{p50:.1f} us, {over.low:.3f} to {over.high:.3f}"
    yield Figure(f"{name}: latency over float", over.value, limit=wanted if own and not beside else None, beside=spread)
    smaller = size / files[baseline].stat().st_size
    yield Figure(
        f"{name}: size over float", smaller, limit=0.45 if own and beside else None, beside=f"{size / 1e3:.0f} KB"
    )


if __name__ == "__main__":
    sys.exit(main())
