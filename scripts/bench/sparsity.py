"""Zeros among the weights, one shot: EfficientNet-Lite0 and the networks of MLPerf Tiny (run 14 of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/sparsity.py [ad01|kws|resnet8|lite0 ...] [--no-timing] [--timing-only]

200 samples place the zeros and calibrate int8, others evaluate and choose nothing. Every file is compared with the dense
float network: top-1 where there are labels, SQNR, agreement, zeros in the file, size as it is and zipped. Then dense files and
sparse ones are timed in turns. "2:4 by a rule" spares no layer that can hold it; plain "2:4" leaves 5 % of the weights dense.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from commands import edgekit
from models import WORK, cifar_samples, data_file, efficientnet_lite0, imagenet_two_fifths
from results import Figure, Result, load_average, publish
from sounds import anomaly_samples, keyword_samples

from edgekit import registry
from edgekit.benchmark import TimingRequest, contender, time_here
from edgekit.latency import Timing, ratio
from edgekit.protocols import Silent

DENSE = "dense"
BY_RULE = " by a rule"
PATTERNS = (DENSE, "50%", "70%", "2:4", "1:4")
BLOCKS = "block=1x4:85%"
FORMATS = ("tflite", "onnx")
PRECISIONS = ("float32", "int8")
TIMED = (DENSE, "70%", "2:4", BLOCKS)


@dataclass(frozen=True, slots=True)
class Case:
    """``smallest``: top-1 in percent (or SQNR in dB, without labels) that the float file must reach, by pattern."""

    name: str
    title: str
    model: Path
    calibrate: Path
    evaluate: Path
    samples: str
    smallest: dict[str, float]
    patterns: tuple[str, ...] = PATTERNS

    def file(self, pattern: str, precision: str, file_format: str) -> Path:
        folder = WORK / "sparsity" / f"{self.name}_{re.sub('[^a-z0-9]+', '_', pattern).strip('_')}"
        stem = self.model.stem if precision == "float32" else f"{self.model.stem}.float32"
        return folder / f"{stem}.{precision}.{file_format}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", choices=[*_CASES])
    parser.add_argument("--no-timing", action="store_true")
    parser.add_argument("--timing-only", action="store_true", help="of files that an earlier run made")
    arguments = parser.parse_args()
    found = []
    for case in (_CASES[name]() for name in arguments.cases or _CASES):
        if not arguments.timing_only:
            _make(case)
            found.append(publish(_accuracy(case)))
        if not arguments.no_timing:
            load = load_average()
            found.append(publish(_timed(case), load))
    return max(found)


def _lite0() -> Case:
    calibrate, evaluate = imagenet_two_fifths((0, 1))
    samples = "imagenet/: two of every five pictures to calibrate (200), the 300 others"
    smallest = {"50%": 77.0, "2:4": 69.0, "70%": 55.0}
    patterns = (*PATTERNS, "2:4" + BY_RULE)
    return Case("lite0", "EfficientNet-Lite0", efficientnet_lite0(), calibrate, evaluate, samples, smallest, patterns)


def _resnet8() -> Case:
    calibrate, evaluate = cifar_samples()
    model = data_file("mlperf_tiny/pretrainedResnet.h5")
    samples = "200 of cifar10_train.npz to calibrate, all 5,000 of cifar10_eval.npz"
    return Case(
        "resnet8",
        "MLPerf Tiny ResNet8",
        model,
        calibrate,
        evaluate,
        samples,
        {"50%": 73.0, "70%": 69.0, "2:4": 71.0, "1:4": 56.0},
    )


def _kws() -> Case:
    calibrate, evaluate = keyword_samples(0.003)
    model = data_file("mlperf_tiny/kws_ref_model")
    samples = "MFCCs of spoken digits, noise 50 dB below the loudest sample: 200 to calibrate, 1,000 others"
    return Case(
        "kws",
        "MLPerf Tiny's keyword network",
        model,
        calibrate,
        evaluate,
        samples,
        {"50%": 17.0, "70%": 11.0, "2:4": 14.5},
    )


def _ad01() -> Case:
    calibrate, evaluate = anomaly_samples()
    model = data_file("mlperf_tiny/ad01.h5")
    return Case(
        "ad01",
        "MLPerf Tiny's autoencoder",
        model,
        calibrate,
        evaluate,
        "log-mel windows of spoken digits: 1,000 to calibrate, 4,000 others",
        {"50%": 30.0, "70%": 25.0, "2:4": 27.0, BLOCKS: 20.0},
        (*PATTERNS, BLOCKS),
    )


_CASES = {"ad01": _ad01, "kws": _kws, "resnet8": _resnet8, "lite0": _lite0}


def _make(case: Case) -> None:
    """Float files with zeros, and int8 ones of the same zeros, unless an earlier run made them."""
    for pattern in case.patterns:
        float_onnx = case.file(pattern, "float32", "onnx")
        common = ("-o", float_onnx.parent, "--calibrate", case.calibrate, "--no-checks")
        if not float_onnx.exists():
            edgekit("convert", case.model, *common, "--precision", "float32", *_options(pattern))
        if not case.file(pattern, "int8", "onnx").exists():
            edgekit("convert", float_onnx, *common)


def _options(pattern: str) -> tuple[str | Path, ...]:
    if pattern == DENSE:
        return ()
    if not pattern.endswith(BY_RULE):
        return ("--sparsify", pattern)
    recipe = WORK / "sparsify_everywhere.toml"
    recipe.write_text(f'[[rules]]\nscope = "*"\nsparsify = "{pattern.removesuffix(BY_RULE)}"\n')
    return ("--recipe", recipe)


def _accuracy(case: Case) -> Result:
    figures = [figure for pattern in case.patterns for figure in _pattern_figures(case, pattern)]
    return Result(
        name=f"sparsity_{case.name}",
        title=f"Zeros in {case.title}, one shot",
        figures=figures,
        samples=case.samples,
        notes=("agreement: same top as the dense float network; zipped: zlib, level 6",),
    )


def _pattern_figures(case: Case, pattern: str) -> Iterator[Figure]:
    for precision in PRECISIONS:
        for file_format in FORMATS:
            path = case.file(pattern, precision, file_format)
            report, _ = edgekit(
                *("check", path, "--against", case.file(DENSE, "float32", "onnx"), "--samples", case.evaluate),
            )
            own = next(
                one for one in report["entries"] if one["role"] == "artifact"
            )  # the reference may bear the same name
            zeros = registry.stage("zeros_in")(path)
            beside = (
                f"same top {own['agreement']['equal_decisions']:.3f}, zeros {zeros.zeros / zeros.weights:.1%}, "
                f"{zeros.size_bytes / 1e6:.2f} MB, zipped {zeros.zipped_bytes / 1e6:.2f} MB"
            )
            limit = case.smallest.get(pattern) if precision == "float32" else None
            name = f"{pattern}, {precision} {file_format}"
            if own["accuracy"] is None:
                yield Figure(f"SQNR, {name}", own["agreement"]["sqnr_db"], "dB", limit, at_least=True, beside=beside)
            else:
                yield Figure(f"top-1, {name}", 100 * own["accuracy"], "%", limit, at_least=True, beside=beside)


def _timed(case: Case) -> Result:
    """All files of a format and precision take turns; what a sparse one needs, as a multiple of the dense one's time."""
    paths = [case.file(*key) for key in _timed_files(case)]
    contenders = tuple(contender(path, threads=1) for path in paths)
    timing = Timing(min_seconds=1.5, max_seconds=3.0, warm_up_seconds=0.5)
    latencies = dict(
        zip(_timed_files(case), time_here(TimingRequest(contenders, timing, False), Silent()), strict=True)
    )
    figures = []
    for pattern, precision, file_format in latencies:
        own, dense = latencies[pattern, precision, file_format], latencies[DENSE, precision, file_format]
        if pattern != DENSE:
            found = ratio(own, dense)
            beside = f"{found.low:.3f} to {found.high:.3f}; {own.p50_ns.value / 1e6:.3f} ms"
            figures.append(Figure(f"time / dense, {pattern}, {precision} {file_format}", found.value, beside=beside))
    return Result(
        name=f"sparsity_{case.name}_latency",
        title=f"Latency of {case.title} with zeros, one thread",
        figures=figures,
        samples="one picture a call, random input",
        notes=("ratios are medians over rounds in which all files take turns, with their 95 % interval",),
        timed=True,
    )


def _timed_files(case: Case) -> list[tuple[str, str, str]]:
    return [
        (pattern, precision, file_format)
        for precision in PRECISIONS
        for file_format in FORMATS
        for pattern in TIMED
        if pattern in case.patterns
    ]


if __name__ == "__main__":
    sys.exit(main())
