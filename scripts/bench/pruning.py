"""Pruning without training, then int8, in one command: what is left of accuracy and agreement, and how much faster it is.

    EDGEKIT_DATA=<folder> python scripts/bench/pruning.py [lite0 resnet8 resnet8-any] [--share 0.2]

EfficientNet-Lite0: 200 pictures spread over the classes choose and repair, the 300 others judge; Torch-Pruning removes as much
from it, with the same pictures and their labels. ResNet8: 200 and 5,000 pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import Finished, edgekit, entry, last_words, run
from models import WORK, cifar_samples, data_file, efficientnet_lite0, imagenet_two_fifths
from results import Figure, Result, publish
from torch_pruning_peer import IMPORTANCES

FORMATS, PRECISIONS = ("tflite", "onnx"), ("int8", "float32")


@dataclass(frozen=True, slots=True)
class Limits:
    """For a share of the multiply-accumulates: least agreement of the pruned float network, most points lost by it, and the most
    of the unpruned file's time that a file may take."""

    agreement: float | None
    drop_points: float
    time: float | None


@dataclass(frozen=True, slots=True)
class Network:
    """``limits``: by share removed. ``has_peer``: whether `torch_pruning_peer` knows it. ``channels``: as in recipes."""

    title: str
    model: Callable[[], Path]
    samples: Callable[[], tuple[Path, Path]]
    limits: dict[float, Limits]
    has_peer: bool = False
    channels: str = "fast"


NETWORKS = {
    "lite0": Network(
        "EfficientNet-Lite0",
        efficientnet_lite0,
        lambda: imagenet_two_fifths((0, 2)),
        {0.1: Limits(0.93, 2.5, 0.92), 0.2: Limits(0.89, 5.0, 0.83), 0.3: Limits(None, 12.0, 0.75)},
        has_peer=True,
    ),
    "resnet8": Network(
        "MLPerf Tiny ResNet8, CIFAR-10",
        lambda: data_file("mlperf_tiny/pretrainedResnet.h5"),
        cifar_samples,
        {0.2: Limits(None, 4.5, 1.0)},
    ),
    "resnet8-any": Network(
        "MLPerf Tiny ResNet8, CIFAR-10, any number of channels",
        lambda: data_file("mlperf_tiny/pretrainedResnet.h5"),
        cifar_samples,
        {0.2: Limits(None, 4.5, None)},
        channels="any",
    ),
}
MOST_BYTES, INT8_POINTS = 2_000_000_000, 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=f"Some of {', '.join(NETWORKS)}. [default: all]")
    parser.add_argument("--share", type=float, action="append", help="Only this part removed. Repeatable.")
    options = parser.parse_args()
    return max(publish(_result(name, share)) for name, share in _chosen(options.names or list(NETWORKS), options.share))


def _chosen(names: Sequence[str], shares: Sequence[float] | None) -> Iterator[tuple[str, float]]:
    return ((name, share) for name in names for share in NETWORKS[name].limits if shares is None or share in shares)


def _result(name: str, share: float) -> Result:
    network = NETWORKS[name]
    calibrate, evaluate = network.samples()
    convert = ("convert", network.model(), "--calibrate", calibrate)
    prune = ("--recipe", _recipe(network.channels, share))
    pruned, whole = WORK / f"pruned_{name}_{100 * share:.0f}", WORK / f"whole_{name}"
    report, took = edgekit(*convert, *prune, "-o", pruned, "--evaluate", evaluate)
    edgekit(*convert, *prune, "-o", pruned, "--precision", "float32", "--no-checks")
    for precision in PRECISIONS:
        edgekit(*convert, "-o", whole, "--precision", precision, "--no-checks")
    peers = _peer_figures(network, share, calibrate, evaluate) if network.has_peer else ()
    return Result(
        name=f"pruning_{name}_{100 * share:.0f}",
        title=f"{network.title}, {share:.0%} of the multiply-accumulates removed, no training",
        figures=[
            *_figures(report, network.limits[share]),
            *_times(whole, pruned, network.limits[share].time),
            *_costs(report, took),
            *peers,
        ],
        samples=f"{report['calibration']['count']} to choose and repair, {report['evaluation']['count']} others to evaluate",
        notes=(f"reference: {report['reference']}",),
        timed=True,
    )


def _recipe(channels: str, share: float) -> Path:
    path = WORK / f"prune_{channels}_{100 * share:.0f}.toml"
    path.write_text(f'[prune]\nmacs = {share}\nchannels = "{channels}"\n', "utf-8")
    return path


def _figures(report: dict[str, Any], limits: Limits) -> Iterator[Figure]:
    before, after = report["pruning"]["macs"]
    yield Figure("multiply-accumulates removed", 100 * (1 - after / before), "%")
    yield Figure("top-1, original", 100 * entry(report, "original")["accuracy"], "%")
    for file_format in FORMATS:
        pruned, int8 = entry(report, f"pruned float32 {file_format}"), _int8(report, file_format)
        same = pruned["agreement"]["equal_decisions"]
        yield Figure(f"same top as float, pruned float {file_format}", same, "", limits.agreement, at_least=True)
        yield Figure(f"drop, pruned float {file_format}", pruned["drop_points"], "points", limits.drop_points)
        lost = int8["drop_points"] - pruned["drop_points"]
        yield Figure(f"drop by int8 on top, {file_format}", lost, "points", INT8_POINTS)


def _times(whole: Path, pruned: Path, limit: float | None) -> Iterator[Figure]:
    """Of each file over the same without pruning, the two interleaved."""
    for path in sorted(whole.glob("*.tflite")) + sorted(whole.glob("*.onnx")):
        document, _ = edgekit("bench", path, pruned / path.name)
        before, after = (entry["latency"]["p50_ns"]["value"] / 1e6 for entry in document["results"])
        ratio = document["results"][1]["ratio"]
        beside = f"{ratio['low']:.2f} to {ratio['high']:.2f}; {before:.3f} -> {after:.3f} ms"
        kind = " ".join(path.name.rsplit(".", 2)[1:])
        yield Figure(f"time of the unpruned, {kind}", ratio["value"], "", limit, beside=beside)


def _int8(report: dict[str, Any], file_format: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each for each in report["entries"] if each["role"] == "artifact" and each["format"] == file_format
    )
    return found


def _costs(report: dict[str, Any], took: Finished) -> Iterator[Figure]:
    """Of the command as a whole: reading, pruning, quantizing, writing and all checks."""
    pruning = next(stage for stage in report["stages"] if stage["name"] == "prune")
    yield Figure(
        "CPU seconds of the whole command",
        took.cpu_seconds,
        "s",
        beside=f"pruning: {pruning['seconds']:.0f} s of wall time",
    )
    yield Figure("largest process", took.peak_bytes / 1e6, "MB", MOST_BYTES / 1e6)


def _peer_figures(network: Network, share: float, calibrate: Path, evaluate: Path) -> Iterator[Figure]:
    """Of the float network that Torch-Pruning leaves, against the same original; what makes no file is told on stderr."""
    for importance in IMPORTANCES:
        out = WORK / f"torch_pruning_{importance}_{100 * share:.0f}.onnx"
        made = run(
            sys.executable, Path(__file__).with_name("torch_pruning_peer.py"), importance, str(share), calibrate, out
        )
        if made.code != 0:
            print(f"Torch-Pruning, {importance}, makes no file: {last_words(made)}", file=sys.stderr)
            continue
        report, _ = edgekit("check", out, "--against", network.model(), "--samples", evaluate)
        found = entry(report, out.name)
        same = found["agreement"]["equal_decisions"]
        yield Figure(f"same top as float, Torch-Pruning {importance}", same)
        yield Figure(f"drop, Torch-Pruning {importance}", found["drop_points"], "points")


if __name__ == "__main__":
    sys.exit(main())
