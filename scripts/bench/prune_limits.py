"""``--limit-drop`` while pruning: how much goes within 1, 3 and 10 points, and what that costs on samples that chose nothing.

    EDGEKIT_DATA=<folder> python scripts/bench/prune_limits.py [lstm resnet8 lite0] [--limit 3]

The limit is kept by the labels of the calibration samples, each judged by weights that were fitted to others; docs/results.md has
the table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit, entry
from models import WORK, cifar_samples, data_file, efficientnet_lite0, imagenet_two_fifths
from results import Figure, Result, publish
from spoken_digits import spoken_digits_model, spoken_digits_samples

CIFAR_PICTURES = 1000


def _cifar() -> tuple[Path, Path]:
    """More than weights need: a limit of a point is not told from a handful of pictures."""
    path = WORK / f"cifar_calibrate_{CIFAR_PICTURES}.npz"
    if not path.exists():
        train = np.load(data_file("cifar10_train.npz"))
        np.savez(path, x=train["x"][:CIFAR_PICTURES].astype(np.float32), y=train["y"][:CIFAR_PICTURES])
    return path, cifar_samples()[1]


NETWORKS: dict[str, tuple[Callable[[], Path], Callable[[], tuple[Path, Path]]]] = {
    "lstm": (lambda: spoken_digits_model("lstm"), spoken_digits_samples),
    "resnet8": (lambda: data_file("mlperf_tiny/pretrainedResnet.h5"), _cifar),
    "lite0": (efficientnet_lite0, lambda: imagenet_two_fifths((0, 2))),
}
LIMITS = (1.0, 3.0, 10.0)
MORE_THAN_ALLOWED = "90%"
"""A goal that no limit lets the tool reach."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", default=[*NETWORKS])
    parser.add_argument("--limit", type=float, action="append", help="Only this one. Repeatable.")
    options = parser.parse_args()
    return max(publish(_result(name, tuple(options.limit or LIMITS))) for name in options.names)


def _result(name: str, limits: tuple[float, ...]) -> Result:
    figures = [figure for limit in limits for figure in _figures(name, limit)]
    title = f"{name}: as much removed as a limit allows"
    return Result(name=f"prune_limits_{name}", title=title, figures=figures)


def _figures(name: str, limit: float) -> Iterator[Figure]:
    model, samples = NETWORKS[name]
    calibrate, evaluate = samples()
    command = ("convert", model(), "--calibrate", calibrate, "--evaluate", evaluate, "--to", "onnx")
    options = ("--prune", MORE_THAN_ALLOWED, "--limit-drop", f"{limit:g}")
    report, _ = edgekit(*command, *options, "-o", WORK / f"prune_limit_{name}_{limit:g}", codes=(0, 1))
    if "pruning" not in report:
        print(f"{name}, {limit:g} points: {report}", file=sys.stderr)
        return
    yield from _found(limit, report)


def _found(limit: float, report: dict[str, Any]) -> Iterator[Figure]:
    before, after = report["pruning"]["macs"]
    taken, judged_by = report["pruning"]["found"], report["pruning"]["judged_by"] or "changed decisions"
    judging = report["pruning"]["samples"][1]
    estimate = taken["drop_points"] + taken["margin_points"]
    pruned, int8 = entry(report, "pruned float32 onnx"), entry(report, ".int8.onnx")
    yield Figure(f"{limit:g} points: multiply-accumulates removed", 100 * (1 - after / before), "%")
    yield Figure(
        f"{limit:g} points: expected, {judged_by}", taken["drop_points"], "points", beside=f"{judging} samples"
    )
    yield Figure(f"{limit:g} points: expected, with its margin", estimate, "points", limit)
    yield Figure(f"{limit:g} points: drop, pruned float", pruned["drop_points"], "points", limit)
    yield Figure(f"{limit:g} points: drop, int8", int8["drop_points"], "points")


if __name__ == "__main__":
    sys.exit(main())
