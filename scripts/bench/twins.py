"""The two int8 files of EfficientNet-Lite0, integer by integer (run 3 of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/twins.py [--pictures 400] [--inside 20] [--alone 3]

Outputs of the whole network on ``pictures``; all intermediate integers on ``inside`` of them; and every int8 op as a model of its
own, fed with the integers that the network sees for ``alone`` of them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit
from models import WORK, efficientnet_lite0, imagenet_samples
from numpy.typing import NDArray
from results import Figure, Result, publish
from taps import Integers, OneOp, OnnxTaps, TfliteTaps


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--inside", type=int, default=20)
    parser.add_argument("--alone", type=int, default=3)
    arguments = parser.parse_args()
    tflite, onnx = _files()
    pictures = np.load(imagenet_samples()[1])["x"]
    taps = OnnxTaps(onnx)
    pair = taps, TfliteTaps(tflite, taps.names)
    found = [
        publish(_outputs(tflite, onnx, arguments.pictures)),
        publish(_inside(*pair, pictures[: arguments.inside])),
        publish(_alone(*pair, pictures[: arguments.alone])),
    ]
    return max(found)


def _files() -> tuple[Path, Path]:
    model, out = efficientnet_lite0(), WORK / "lite0_twins"
    edgekit("convert", model, "-o", out, "--calibrate", imagenet_samples()[0], "--no-checks")
    return out / f"{model.stem}.int8.tflite", out / f"{model.stem}.int8.onnx"


def _outputs(tflite: Path, onnx: Path, count: int) -> Result:
    report, _ = edgekit("check", tflite, "--against", onnx, "--samples", imagenet_samples()[1], "--limit", str(count))
    [found] = [one["agreement"] for one in report["entries"] if one["agreement"]]
    return Result(
        name="twins_outputs",
        title="Twins: the outputs of EfficientNet-Lite0's int8 .tflite (XNNPACK) and .onnx (ONNX Runtime)",
        figures=[
            Figure("same top class", found["equal_decisions"], limit=1.0, at_least=True),
            Figure("equal output integers", found["equal_values"], limit=0.99, at_least=True),
            Figure("pictures equal in every output", found["equal_samples"], limit=0.95, at_least=True),
        ],
        samples=f"{found['samples']} pictures",
    )


def _inside(onnx: OnnxTaps, tflite: TfliteTaps, pictures: NDArray[Any]) -> Result:
    names = [name for name in onnx.names if name in tflite.names]
    differing: Counter[str] = Counter()
    largest = compared = 0
    for picture in pictures:
        feeds = {"input": picture[None]}
        ours, theirs = onnx.all(feeds, names), tflite.all(feeds, names)
        for name in names:
            steps = _steps(ours[name], theirs[name])
            compared += steps.size
            differing[name] += int(np.count_nonzero(steps))
            largest = max(largest, int(steps.max()))
    worst = [f"{name}: {count}" for name, count in differing.most_common(3) if count]
    return Result(
        name="twins_inside",
        title="Twins: all intermediate integers of EfficientNet-Lite0",
        figures=[
            Figure("integers compared", compared, beside=f"{len(names)} tensors, {len(pictures)} pictures"),
            Figure("integers that differ", sum(differing.values()), beside="; ".join(worst)),
            Figure("largest difference", largest, "steps"),
        ],
        samples=f"the first {len(pictures)} evaluation pictures",
        notes=("the tensors are further outputs of otherwise unchanged files, so that the kernels stay the same",),
    )


def _alone(onnx: OnnxTaps, tflite: TfliteTaps, pictures: NDArray[Any]) -> Result:
    names = [name for name in onnx.names if name in tflite.names]
    ops = [op for op in tflite.ops() if {*op.inputs, op.output} <= set(names)]
    values = [onnx.all({"input": picture[None]}, names) for picture in pictures]
    found = [_of_op(op, onnx, tflite, values) for op in ops]
    return Result(
        name="twins_alone",
        title="Twins: every int8 op of EfficientNet-Lite0 alone, on equal inputs",
        figures=list(_by_kind(ops, found)),
        samples=f"the integers of the first {len(pictures)} evaluation pictures",
        notes=(f"{len(ops)} of the {len(list(tflite.ops()))} int8 ops of the TFLite file",),
    )


def _of_op(op: OneOp, onnx: OnnxTaps, tflite: TfliteTaps, values: list[dict[str, Integers]]) -> NDArray[np.int16]:
    return np.concatenate([_steps(onnx.one(op, given), tflite.one(op, given)) for given in values])


def _by_kind(ops: list[OneOp], found: list[NDArray[np.int16]]) -> Iterator[Figure]:
    for kind in sorted({op.kind for op in ops}):
        steps = np.concatenate([own for op, own in zip(ops, found, strict=True) if op.kind == kind])
        count = sum(op.kind == kind for op in ops)
        beside = f"{count} ops, {np.count_nonzero(steps)} of {steps.size} integers differ"
        yield Figure(f"largest difference, {kind}", int(steps.max()), "steps", 1, beside=beside)


def _steps(one: Integers, other: Integers) -> NDArray[np.int16]:
    return np.abs(one.reshape(-1).astype(np.int16) - other.reshape(-1))


if __name__ == "__main__":
    sys.exit(main())
