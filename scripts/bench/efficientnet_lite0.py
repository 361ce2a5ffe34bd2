"""EfficientNet-Lite0 from PyTorch: accuracy, agreement and SQNR beside the peers' (run 3 of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/efficientnet_lite0.py

Both efforts, and both ways to choose the 100 calibration pictures; the peers get the first 100.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commands import edgekit, entry, peer
from models import FACTORY, WORK, efficientnet_lite0, efficientnet_lite0_weights, imagenet_samples
from results import Figure, Result, publish

SMALLEST_SQNR_DB = {"standard": 24.0, "plain": 19.7}


def main() -> int:
    return max(publish(_edgekit(spread=False)), publish(_edgekit(spread=True)), publish(_peers()))


def _edgekit(spread: bool) -> Result:
    calibrate, evaluate = imagenet_samples(spread)
    figures, notes = [], []
    for effort, limit in SMALLEST_SQNR_DB.items():
        report = _converted(effort, calibrate, evaluate)
        figures += _figures(report, effort, limit)
        notes.append(f"{effort}: {_twins(report)}")
    which = "every fifth picture to calibrate, the 400 others" if spread else "the first 100 pictures, the other 400"
    return Result(
        name="lite0_spread" if spread else "lite0",
        title=f"EfficientNet-Lite0 from PyTorch, ImageNet weights ({which})",
        figures=figures,
        samples=f"imagenet/: {which} to evaluate",
        notes=notes,
    )


def _converted(effort: str, calibrate: Path, evaluate: Path) -> dict[str, Any]:
    report, _ = edgekit(
        *("convert", efficientnet_lite0_weights(), "--factory", FACTORY, "--input-shape", "1,3,224,224"),
        *("-o", WORK / f"lite0_{effort}", "--calibrate", calibrate, "--evaluate", evaluate, "--effort", effort),
    )
    return report


def _figures(report: dict[str, Any], effort: str, smallest_sqnr_db: float) -> Iterator[Figure]:
    original = 100 * entry(report, "original")["accuracy"]
    judged = effort == "standard"
    yield Figure("top-1, original", original, "%", beside=report["reference"])
    for file_format in ("tflite", "onnx"):
        own = entry(report, f"int8.{file_format}")
        name, agreement = f"int8 {file_format}, {effort}", own["agreement"]
        drop = original - 100 * own["accuracy"]
        yield Figure(f"top-1, {name}", 100 * own["accuracy"], "%")
        yield Figure(f"drop, {name}", drop, "points", 0.5 if judged else None)
        same = agreement["equal_decisions"]
        yield Figure(f"same top as float, {name}", same, "", 0.985 if judged else None, at_least=True)
        yield Figure(f"SQNR of the logits, {name}", agreement["sqnr_db"], "dB", smallest_sqnr_db, at_least=True)


def _twins(report: dict[str, Any]) -> str:
    twins = report["twins"]["agreement"]
    return (
        f"the two int8 files: {twins['equal_values']:.4%} of the output integers equal, "
        f"{twins['equal_samples']:.2%} of the pictures equal in every output, same top {twins['equal_decisions']:.4%}"
    )


def _peers() -> Result:
    calibrate, evaluate = imagenet_samples()
    model = efficientnet_lite0()
    figures = []
    for name, source, suffix in (
        ("onnxruntime-minmax", model, "onnx"),
        ("onnxruntime-minmax-signed", model, "onnx"),
        ("litert-quantizer", float_tflite(), "tflite"),
    ):
        out = WORK / f"peer_{name}.{suffix}"
        took = peer(name, source, calibrate, out)
        report, _ = edgekit("check", out, "--against", model, "--samples", evaluate)
        own = entry(report, out.name)
        beside = f"same top {own['agreement']['equal_decisions']:.4f}, {took.cpu_seconds:.1f} CPU s"
        figures.append(Figure(f"top-1, {name}", 100 * own["accuracy"], "%", beside=beside))
        figures.append(Figure(f"SQNR of the logits, {name}", own["agreement"]["sqnr_db"], "dB"))
    return Result(
        name="lite0_peers",
        title="EfficientNet-Lite0 by the peers",
        figures=figures,
        samples="imagenet/: the first 100 to calibrate, the other 400 to evaluate",
        notes=("onnxruntime: quant_pre_process and quantize_static, QDQ, per-channel int8 weights, min-max",),
    )


def float_tflite() -> Path:
    """The float .tflite that Google's quantizer starts from: it reads no ONNX."""
    path = WORK / "lite0_float" / "efficientnet_lite0.float32.tflite"
    if not path.exists():
        edgekit("convert", efficientnet_lite0(), "-o", path.parent, "--precision", "float32", "--no-checks")
    return path


if __name__ == "__main__":
    sys.exit(main())
