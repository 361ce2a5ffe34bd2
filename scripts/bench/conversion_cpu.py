"""CPU seconds of converting EfficientNet-Lite0's ONNX file, against ONNX Runtime's own quantizer (run 5b of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/conversion_cpu.py [--rounds 3] [--percentile]

User and system time of whole processes, children included, medians over rounds in which all take turns. edgekit writes both
formats; ONNX Runtime pre-processes and writes ONNX. ``--percentile`` adds its percentile mode, once: half a minute and 7 GB.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable

from commands import edgekit, peer
from models import WORK, efficientnet_lite0, imagenet_samples
from results import Figure, Result, load_average, publish

LARGEST_STANDARD_S = 25.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--percentile", action="store_true")
    arguments = parser.parse_args()
    load = load_average()
    candidates = {
        "plain": lambda: _edgekit("plain"),
        "standard": lambda: _edgekit("standard"),
        "min-max": _peer_min_max,
    }
    found = _medians(candidates, arguments.rounds)
    percentile = _peer_percentile() if arguments.percentile else None
    return publish(_result(found, percentile, arguments.rounds), load)


def _medians(candidates: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    seen = [{name: call() for name, call in candidates.items()} for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in seen) for name in candidates}


def _edgekit(effort: str) -> float:
    options = ("--effort", effort, "--no-checks", "-o", WORK / "conversion_cpu")
    _, took = edgekit("convert", efficientnet_lite0(), "--calibrate", imagenet_samples()[0], *options)
    return took.cpu_seconds


def _peer_min_max() -> float:
    return peer("onnxruntime-minmax", efficientnet_lite0(), imagenet_samples()[0], WORK / "cpu_minmax.onnx").cpu_seconds


def _peer_percentile() -> float:
    out = WORK / "cpu_percentile.onnx"
    return peer("onnxruntime-percentile", efficientnet_lite0(), imagenet_samples()[0], out).cpu_seconds


def _result(found: dict[str, float], percentile: float | None, rounds: int) -> Result:
    figures = [
        Figure("edgekit, effort plain, both formats", found["plain"], "CPU s"),
        Figure("ONNX Runtime, pre-process and min-max", found["min-max"], "CPU s"),
        Figure("edgekit plain over ONNX Runtime min-max", found["plain"] / found["min-max"], "", 1.0),
        Figure("edgekit, default effort, both formats", found["standard"], "CPU s", LARGEST_STANDARD_S),
    ]
    if percentile is not None:
        figures.append(Figure("ONNX Runtime, pre-process and percentile", percentile, "CPU s"))
        figures.append(Figure("edgekit plain over ONNX Runtime percentile", found["plain"] / percentile, "", 0.25))
    return Result(
        name="conversion_cpu",
        title="CPU time of converting EfficientNet-Lite0 from ONNX",
        figures=figures,
        samples=f"100 pictures of imagenet/; medians of {rounds} rounds",
        timed=True,
    )


if __name__ == "__main__":
    sys.exit(main())
