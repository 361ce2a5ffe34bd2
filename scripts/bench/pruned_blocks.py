"""Whole residual branches beside channels and heads: what each way costs at the same part of the multiply-accumulates.

    EDGEKIT_DATA=<folder> python scripts/bench/pruned_blocks.py [NETWORK...] [--share 0.4]

``never``: channels and heads alone. ``auto``: branches among the candidates. ``rule``: one branch, the cheapest of the network by
the error that it alone makes for what it saves, goes first. Without training; the int8 files are timed in turns with the
unpruned ones by the command itself.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifar_pytorch import cifar_planes, cifar_pytorch
from commands import edgekit, entry
from models import WORK, efficientnet_lite0, imagenet_two_fifths
from results import Figure, Result, publish

FORMATS = ("onnx", "tflite")


@dataclass(frozen=True, slots=True)
class Case:
    """``scope``: the branch that a rule removes."""

    title: str
    model: Callable[[], Path]
    samples: Callable[[], tuple[Path, Path]]
    scope: str
    shares: tuple[float, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=f"Some of {', '.join(CASES)}. [default: all]")
    parser.add_argument("--share", type=float, action="append", help="Only this part removed. Repeatable.")
    options = parser.parse_args()
    return max(publish(_result(name, options.share)) for name in options.names or CASES)


def _result(name: str, shares: Sequence[float] | None) -> Result:
    case = CASES[name]
    calibrate, evaluate = case.samples()
    command = ("convert", case.model(), "--calibrate", calibrate, "--evaluate", evaluate, "--metric", "top1", "--force")
    figures = [
        figure
        for share in shares or case.shares
        for way in ("never", "auto", "rule")
        for figure in _figures(command, name, share, way)
    ]
    return Result(
        name=f"pruned_blocks_{name}",
        title=f"{case.title}, whole residual branches or channels and heads alone, no training",
        figures=figures,
        samples="200 to choose and repair; those that evaluate are others",
        timed=True,
    )


def _figures(command: Sequence[str | Path], name: str, share: float, way: str) -> Iterator[Figure]:
    out = WORK / "pruned_blocks" / f"{name}_{100 * share:.0f}_{way}"
    report, took = edgekit(*command, "--recipe", _recipe(name, share, way), "-o", out, codes=(0, 1))
    (before, after), what = report["pruning"]["macs"], f"{share:.0%} {way}"
    gone = ", ".join(block["name"] for block in report["pruning"]["blocks"])
    yield Figure(f"{what}: removed", 100 * (1 - after / before), "%", beside=gone)
    for file_format in FORMATS:
        pruned, int8 = entry(report, f"pruned float32 {file_format}"), entry(report, f"int8.{file_format}")
        yield _told(f"{what}: points lost, float {file_format}", pruned)
        yield _told(f"{what}: points lost, int8 {file_format}", int8)
        yield Figure(f"{what}: time of int8 {file_format} over unpruned", _ratio(report, file_format, int8))
    yield Figure(f"{what}: CPU of the command", took.cpu_seconds, "s")


def _told(what: str, found: dict[str, Any]) -> Figure:
    return Figure(what, found["drop_points"], beside=f"same top {found['agreement']['equal_decisions']:.3f}")


def _ratio(report: dict[str, Any], file_format: str, int8: dict[str, Any]) -> float:
    whole = next(e for e in report["entries"] if e["role"] == "unpruned" and e["format"] == file_format)
    return float(int8["latency"]["p50_ms"] / whole["latency"]["p50_ms"])


def _recipe(name: str, share: float, way: str) -> Path:
    path = WORK / f"prune_blocks_{name}_{100 * share:.0f}_{way}.toml"
    rule = f"[[prune.rules]]\nscope = {json.dumps(CASES[name].scope)}\nremove = true\n" if way == "rule" else ""
    blocks = "never" if way == "rule" else way
    path.write_text(f'[prune]\nmacs = {share}\nblocks = "{blocks}"\n{rule}', "utf-8")
    return path


CASES = {
    "vit": Case(
        "Vision Transformer of four layers (PyTorch), CIFAR-10",
        lambda: cifar_pytorch("vit"),
        cifar_planes,
        "layers.2.mix.*",
        (0.3, 0.4, 0.5),
    ),
    "mbconv": Case(
        "EfficientNet blocks (PyTorch), CIFAR-10", lambda: cifar_pytorch("mbconv"), cifar_planes, "4.*", (0.3,)
    ),
    "lite0": Case(
        "EfficientNet-Lite0, ImageNet pictures",
        efficientnet_lite0,
        lambda: imagenet_two_fifths((0, 2)),
        "node_Conv_847 ... node_Conv_850",
        (0.2, 0.3),
    ),
}

if __name__ == "__main__":
    raise SystemExit(main())
