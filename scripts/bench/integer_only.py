"""Files without float operators: four architectures on spoken digits, and three of the MLPerf Tiny reference networks.

EDGEKIT_DATA=<folder> python scripts/bench/integer_only.py [--quick]

``--quick`` leaves the MLPerf Tiny networks out. Every file has int8 inputs and outputs and is run in LiteRT; the float tensors of
each are counted in the file itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit, entry
from digits_cnn import digits_cnn
from models import WORK, cifar_samples, data_file
from results import Figure, Result, publish
from sounds import anomaly_samples, keyword_samples
from spoken_digits import spoken_digits_model, spoken_digits_samples

AGREEMENT = {"lstm": 0.995, "gru": 0.995, "transformer": 0.98, "cnn": 0.98}
NOISE = 0.003
"""As in mlperf_tiny.py: 50 dB below the loudest sample."""


def main() -> int:
    found = [publish(_digits())]
    if "--quick" not in sys.argv[1:]:
        found.append(publish(_mlperf()))
    return max(found)


def _digits() -> Result:
    figures: list[Figure] = []
    calibrate, evaluate = spoken_digits_samples()
    for kind, least in AGREEMENT.items():
        model = digits_cnn() if kind == "cnn" else spoken_digits_model(kind)
        report = _converted(model, calibrate, evaluate, "--metric", "top1")
        figures += _figures(kind, report, model.stem, least)
    return Result(
        name="integer_only_digits",
        title="Spoken digits without float operators",
        figures=figures,
        samples="200 of the 1,600 training recordings to calibrate, 400 others to evaluate",
        notes=(
            "latency is that of LiteRT's reference kernels on this machine, which has float units and better uses for them",
        ),
    )


def _mlperf() -> Result:
    figures: list[Figure] = []
    runs = (
        ("ResNet8", "pretrainedResnet.h5", "pretrainedResnet_quant.tflite", cifar_samples(), ("--metric", "top1")),
        ("ad01", "ad01.h5", "ad01_int8.tflite", anomaly_samples(), ()),
        ("kws", "kws_ref_model", "kws_ref_model.tflite", keyword_samples(NOISE), ()),
    )
    for name, model, peer, (calibrate, evaluate), options in runs:
        source = data_file(f"mlperf_tiny/{model}")
        report = _converted(source, calibrate, evaluate, *options)
        theirs, _ = edgekit("check", data_file(f"mlperf_tiny/{peer}"), "--against", source, "--samples", evaluate)
        figures += _figures(name, report, source.stem, None, entry(theirs, peer)["agreement"])
    return Result(
        name="integer_only_mlperf",
        title="MLPerf Tiny reference networks without float operators",
        figures=figures,
        samples="as in the runs of mlperf_tiny.py",
    )


def _figures(
    name: str, report: dict[str, Any], stem: str, least: float | None, peer: dict[str, Any] | None = None
) -> Iterator[Figure]:
    own, floating = entry(report, "int8.tflite"), entry(report, "float32 tflite")
    agreement, beside = own["agreement"], "" if peer is None else _peer(peer)
    if own.get("accuracy") is not None:
        drop = 100 * (floating["accuracy"] - own["accuracy"])
        yield Figure(f"{name}: drop of top-1", drop, "points", limit=0.5)
    yield Figure(f"{name}: same top as float", agreement["equal_decisions"], limit=least, at_least=True, beside=beside)
    yield Figure(f"{name}: SQNR", agreement["sqnr_db"], "dB")
    yield Figure(f"{name}: size / float", own["size_bytes"] / floating["size_bytes"])
    yield Figure(f"{name}: latency / float", own["latency"]["p50_ms"] / floating["latency"]["p50_ms"])
    yield Figure(f"{name}: float tensors", float_tensors(WORK / "integer_only" / f"{stem}.int8.tflite"), limit=0)


def _peer(agreement: dict[str, Any]) -> str:
    return f"the reference int8 file: {agreement['sqnr_db']:.1f} dB, same top {agreement['equal_decisions']:.4f}"


def float_tensors(path: Path) -> int:
    """Tensors of a float type in the file itself, before any delegate."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
    return sum(np.dtype(each["dtype"]).kind == "f" for each in interpreter.get_tensor_details())


def _converted(model: Path, calibrate: Path, evaluate: Path, *options: str) -> dict[str, Any]:
    samples = ("--calibrate", calibrate, "--evaluate", evaluate)
    mode = ("--integer-only", "--io", "int8")
    report, _ = edgekit("convert", model, "-o", WORK / "integer_only", *samples, *mode, *options)
    return report


if __name__ == "__main__":
    sys.exit(main())
