"""Units of an LSTM and a GRU removed without training, then int8, in one command (run 15 of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/pruned_digits.py [lstm gru] [--reuse] [--min-seconds 1]

25 and 50 % of the 64 units go by ``--prune units=25%``; 200 of the training recordings choose and repair, 400 that no
training saw judge. Beside it the order by magnitude without repair, by a recipe. int8 files are timed in turns, one thread; with
``--reuse`` those of the run before, so that a machine has to be quiet for the timing alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commands import edgekit, entry
from digit_networks import RECURRENT
from models import WORK
from results import Figure, Result, load_average, publish
from spoken_digits import spoken_digits_model, spoken_digits_samples

from edgekit.benchmark import TimingRequest, contender, time_here
from edgekit.latency import Timing, ratio
from edgekit.protocols import Silent

FORMATS = ("tflite", "onnx")
LIMITS = {25: 1.0, 50: 3.0}
"""Points of accuracy that may go with so many percent of the units, int8 included."""

MAGNITUDE = '[prune]\nunits = {}\nimportance = "magnitude"\nrepair = false\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", default=[*RECURRENT])
    parser.add_argument("--reuse", action="store_true", help="Take the files of the run before.")
    parser.add_argument("--min-seconds", type=float, default=1.0)
    options = parser.parse_args()
    if not options.reuse:
        for kind in options.kinds:
            _convert(kind)
    load = load_average()
    return max(publish(_result(kind, options.min_seconds), load) for kind in options.kinds)


def _folder(kind: str, what: str) -> Path:
    return WORK / f"pruned_digits_{kind}_{what}"


def _convert(kind: str) -> None:
    calibrate, evaluate = spoken_digits_samples()
    command = ("convert", spoken_digits_model(kind), "--calibrate", calibrate, "--evaluate", evaluate)
    edgekit(*command, "-o", _folder(kind, "whole"), "--no-checks")
    for percent in LIMITS:
        edgekit(*command, "-o", _folder(kind, str(percent)), "--prune", f"units={percent}%")
        recipe = WORK / f"magnitude_{percent}.toml"
        recipe.write_text(MAGNITUDE.format(percent / 100), "utf-8")
        edgekit(*command, "-o", _folder(kind, f"{percent}_magnitude"), "--recipe", recipe, "--force")


def _result(kind: str, min_seconds: float) -> Result:
    reports = {percent: _report(_folder(kind, str(percent))) for percent in LIMITS}
    first = reports[min(LIMITS)]
    figures = [Figure("accuracy, original", 100 * entry(first, "original")["accuracy"], "%")]
    for percent, report in reports.items():
        figures += _judged(percent, report, _report(_folder(kind, f"{percent}_magnitude")))
    figures += _timed(kind, min_seconds)
    return Result(
        name=f"pruned_digits_{kind}",
        title=f"Spoken digits, {kind} of 64 units, units removed without training",
        figures=figures,
        samples=f"{first['calibration']['count']} to choose and repair, {first['evaluation']['count']} others to evaluate",
        timed=True,
    )


def _report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return found


def _judged(percent: int, report: dict[str, Any], magnitude: dict[str, Any]) -> Iterator[Figure]:
    [layer] = report["pruning"]["layers"]
    yield Figure(f"-{percent} %: units left", layer["left"], beside=f"of {layer['units']}")
    before, after = report["pruning"]["macs"]
    yield Figure(f"-{percent} %: multiply-accumulates removed", 100 * (1 - after / before), "%")
    for file_format in FORMATS:
        pruned, whole = entry(report, f"pruned float32 {file_format}"), entry(report, f"unpruned int8 {file_format}")
        int8, other = _artifact(report, file_format), _artifact(magnitude, file_format)
        beside = f"magnitude, not repaired: {entry(magnitude, f'pruned float32 {file_format}')['drop_points']:.2f}"
        yield Figure(f"-{percent} %: drop, float {file_format}", pruned["drop_points"], "points", beside=beside)
        beside = f"magnitude, not repaired: {other['drop_points']:.2f}"
        yield Figure(
            f"-{percent} %: drop, int8 {file_format}", int8["drop_points"], "points", LIMITS[percent], beside=beside
        )
        kilobytes = int8["size_bytes"] / 1e3
        size = int8["size_bytes"] / whole["size_bytes"]
        yield Figure(f"-{percent} %: size over unpruned int8, {file_format}", size, beside=f"{kilobytes:.0f} KB")


def _artifact(report: dict[str, Any], file_format: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each for each in report["entries"] if each["role"] == "artifact" and each["format"] == file_format
    )
    return found


def _timed(kind: str, min_seconds: float) -> Iterator[Figure]:
    """Pruned int8 over int8, the files of a format in turns."""
    for file_format in FORMATS:
        name = f"{spoken_digits_model(kind).stem}.int8.{file_format}"
        files = [_folder(kind, what) / name for what in ("whole", *map(str, LIMITS))]
        contenders = tuple(contender(path, threads=1) for path in files)
        timing = Timing(min_seconds=min_seconds, max_seconds=6 * min_seconds)
        whole, *smaller = time_here(TimingRequest(contenders, timing, keep_samples=False), Silent())
        yield Figure(f"int8 {file_format}, unpruned", whole.p50_ns.value / 1e3, "us")
        for percent, latency in zip(LIMITS, smaller, strict=True):
            over = ratio(latency, whole)
            beside = f"{latency.p50_ns.value / 1e3:.1f} us, {over.low:.3f} to {over.high:.3f}"
            yield Figure(f"-{percent} %: time over unpruned int8, {file_format}", over.value, beside=beside)


if __name__ == "__main__":
    sys.exit(main())
