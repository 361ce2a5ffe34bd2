"""The project's int8 networks compiled for Arm's Ethos-U by Vela: cycles, memory, and the ops left to the CPU.

    EDGEKIT_DATA=<folder> python scripts/bench/vela.py [--quick]

Beside each MLPerf Tiny network stands the benchmark's own int8 file, compiled in the same run. ``--quick`` leaves
EfficientNet-Lite0 out. Cycles are Vela's estimates for its default memories.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import edgekit
from digits_cnn import digits_cnn
from models import FACTORY, WORK, cifar_samples, data_file, efficientnet_lite0_weights, imagenet_samples
from results import Figure, Result, publish
from sounds import anomaly_samples, keyword_samples
from spoken_digits import spoken_digits_samples

ACCELERATOR = "ethos-u55-128"
OUT = WORK / "vela"


@dataclass(frozen=True, slots=True)
class Network:
    """``peer``: the benchmark's own int8 file, "" where there is none. ``accelerator``: the NPU whose memories hold it."""

    name: str
    model: Path
    samples: tuple[Path, Path]
    peer: str = ""
    options: tuple[str, ...] = ()
    accelerator: str = ACCELERATOR


def main() -> int:
    figures = [figure for network in _networks() for figure in _figures(network)]
    result = Result(
        name="vela",
        title="Int8 networks compiled for Ethos-U",
        figures=figures,
        notes=(
            "NPU cycles of one inference, SRAM and flash as Vela estimates them for its default system configuration",
            "what Vela compresses well needs less flash: one scale for all weights of a layer, as the reference file of ad01 "
            "has, leaves more zeros than one a channel",
        ),
    )
    return publish(result)


def _networks() -> Iterator[Network]:
    yield Network(
        "ResNet8", data_file("mlperf_tiny/pretrainedResnet.h5"), cifar_samples(), "pretrainedResnet_quant.tflite"
    )
    yield Network("kws", data_file("mlperf_tiny/kws_ref_model"), keyword_samples(0.003), "kws_ref_model.tflite")
    yield Network("ad01", data_file("mlperf_tiny/ad01.h5"), anomaly_samples(), "ad01_int8.tflite")
    yield Network("spoken digits CNN", digits_cnn(), spoken_digits_samples())
    if "--quick" not in sys.argv[1:]:
        factory = ("--factory", FACTORY, "--input-shape", "1,3,224,224")
        weights = efficientnet_lite0_weights()
        yield Network("EfficientNet-Lite0", weights, imagenet_samples(), "", factory, "ethos-u65-512")


def _figures(network: Network) -> Iterator[Figure]:
    calibrate, _ = network.samples
    options = ("--calibrate", calibrate, "--target", "ethos-u55", "--no-checks", *network.options)
    edgekit("convert", network.model, "-o", OUT, *options)
    own = _compiled(OUT / f"{_stem(network.model)}.int8.tflite", network.accelerator)
    theirs = _compiled(data_file(f"mlperf_tiny/{network.peer}"), network.accelerator) if network.peer else None
    left = own["fallbacks"]
    yield Figure(f"{network.name}: ops left to the CPU", left["ops_left"], f"of {left['ops']}", limit=0)
    for label, name in (
        ("NPU cycles", "NPU cycles of an inference"),
        ("time", "time of these at"),
        ("SRAM", "SRAM used"),
    ):
        beside = f"the reference int8 file: {_figure(theirs, name)[0]:,.4g}" if theirs else network.accelerator
        yield Figure(f"{network.name}: {label}", *_figure(own, name), beside=beside)


def _stem(model: Path) -> str:
    return model.stem if model.is_file() else model.name


def _compiled(path: Path, accelerator: str) -> dict[str, Any]:
    report, _ = edgekit("compile", path, "--with", "vela", "--accelerator", accelerator, "-o", OUT)
    return report


def _figure(report: dict[str, Any], name: str) -> tuple[float, str]:
    found = next(figure for figure in report["compiled"]["figures"] if figure["name"].startswith(name))
    return found["value"], found["unit"]


if __name__ == "__main__":
    sys.exit(main())
