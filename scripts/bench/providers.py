"""Int8 files on an execution provider beside the same files on the CPU (docs/providers.md).

    EDGEKIT_DATA=<folder> scripts/provider openvino python scripts/bench/providers.py openvino

For ResNet8 and the anomaly detector of MLPerf Tiny: how many of a file's ops the provider takes, how many of them are known to
compute on integers, and how far its answers are from the CPU's. Emulated hardware is slow: 200 samples, no times.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commands import edgekit, entry
from models import WORK, cifar_samples, data_file
from results import Figure, Result, publish
from sounds import anomaly_samples

SAMPLES = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("delegate", help="as edgekit --delegate takes it")
    delegate = parser.parse_args().delegate
    cases = (("pretrainedResnet.h5", cifar_samples()), ("ad01.h5", anomaly_samples()))
    figures = [figure for model, samples in cases for figure in _figures(model, *samples, delegate)]
    name = delegate.partition(":")[0]
    return publish(
        Result(
            name=f"provider_{name}",
            title=f"MLPerf Tiny in int8 on the execution provider {delegate}",
            figures=figures,
            samples=f"{SAMPLES} to evaluate; CIFAR-10, and log-mel spectra of spoken_digits.npz",
        )
    )


def _figures(name: str, calibrate: Path, evaluate: Path, delegate: str) -> Iterator[Figure]:
    model, out = data_file(f"mlperf_tiny/{name}"), WORK / "providers"
    edgekit("convert", model, "-o", out, "--calibrate", calibrate, "--to", "onnx", "--effort", "plain", "--no-checks")
    file = out / f"{model.stem}.int8.onnx"
    placement = edgekit("inspect", file, "--placement", "--delegate", delegate)[0]["placement"]
    yield from _placed(model.stem, placement)
    common = ("--samples", evaluate, "--limit", str(SAMPLES), "--delegate", delegate)
    beside_cpu = edgekit("check", file, "--against", file, *common)[0]
    agreement = beside_cpu["entries"][1]["agreement"]
    yield Figure(f"{model.stem}: SQNR beside the same file on the CPU", agreement["sqnr_db"], "dB")
    found = entry(edgekit("check", file, "--against", model, *common)[0], file.name)
    yield Figure(f"{model.stem}: SQNR beside the float model", found["agreement"]["sqnr_db"], "dB")
    if found["drop_points"] is not None:
        yield Figure(f"{model.stem}: top-1 lost", found["drop_points"], "points")


def _placed(name: str, placement: dict[str, Any]) -> Iterator[Figure]:
    ops = placement["ops"]
    left = [op for op in ops if op["device"] == "CPUExecutionProvider"]
    reasons = "; ".join(sorted({op["why"] for op in left}))
    yield Figure(f"{name}: ops left to the CPU of {len(ops)}", len(left), beside=reasons)
    yield Figure(f"{name}: ops known to compute on integers", sum(op["integer"] for op in ops))


if __name__ == "__main__":
    sys.exit(main())
