"""Every network of the other benchmarks, pruned without training and then in int8, in one command (run 17 of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/pruned_architectures.py [NAME...] [--share 0.2] [--resume]

Told of each: what went, how near the pruned float file and the int8 file are to the original on samples that chose nothing, by
how much the int8 file shrank, and how many layers keep all channels. Networks whose package is not installed are told as such.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import generative
import numpy as np
import vision_blocks
from architecture_training import FRAMEWORKS, TASKS, trained
from beside_peers import Network
from commands import edgekit
from models import WORK, basic_pitch_model, cifar_samples, data_file, efficientnet_lite0, imagenet_two_fifths
from results import Figure, Result, publish
from sounds import anomaly_samples, basic_pitch_samples, keyword_samples
from spoken_digits import spoken_digits_model, spoken_digits_samples

MOST_SURPLUS = 0.02
"""Of the int8 file's size: a pruned file may not be larger than the unpruned one by more."""


@dataclass(frozen=True, slots=True)
class Case:
    """``options`` beside the samples; ``evaluate`` None: the calibration samples again."""

    model: Path
    calibrate: Path
    evaluate: Path | None
    options: tuple[str, ...] = ()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="Some of the networks. [default: all]")
    parser.add_argument("--share", type=float, default=0.2, help="Of the multiply-accumulates that go. [default: 0.2]")
    parser.add_argument("--resume", action="store_true", help="Keep the reports of a run before.")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CASES):
        sys.exit(f"there is no network {', '.join(sorted(unknown))}; the names are {', '.join(CASES)}")
    reports = {name: _report(name, options.share, options.resume) for name in options.names or CASES}
    print(table(reports))
    return publish(_result(reports, options.share, whole=not options.names))


def _report(name: str, share: float, resume: bool) -> dict[str, Any]:
    """edgekit's report, or ``{"missing": why}``: no such package, or a network that the cuts ruin."""
    folder = WORK / "pruned" / f"{name}_{100 * share:.0f}"
    kept = folder / "bench.json"
    if not (resume and kept.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(_made(name, share, folder)), "utf-8")
    report: dict[str, Any] = json.loads(kept.read_text("utf-8"))
    print(f"{name}: {report.get('missing') or _row(name, report)}", file=sys.stderr, flush=True)
    return report


def _made(name: str, share: float, folder: Path) -> dict[str, Any]:
    try:
        case = CASES[name]()
        evaluate = ("--evaluate", str(case.evaluate)) if case.evaluate else ()
        report, _ = edgekit(
            *("convert", case.model, "-o", folder, "--prune", f"{share:.0%}", *case.options),
            *("--calibrate", case.calibrate, *evaluate),
            codes=(0, 1),
        )
    except SystemExit as ended:
        return {"missing": str(ended)}
    return {"missing": report["error"]["message"]} if "error" in report else report


def _architecture(kind: str, framework: str) -> Case:
    found = trained(kind, framework)
    evaluate = WORK / "architectures" / framework / f"{kind}.pruned.npz"
    with np.load(found.calibrate) as samples:
        arrays: dict[str, Any] = {samples.files[0]: found.evaluate}
    np.savez(evaluate, **arrays)
    return Case(found.path, found.calibrate, evaluate)


def _picture(make: Callable[[], Network]) -> Case:
    network = make()
    return Case(network.model, *network.samples, network.options)


def _digits(kind: str) -> Case:
    return Case(spoken_digits_model(kind), *spoken_digits_samples())


def _silero() -> Case:
    from speech_stream import silero, silero_samples

    fixed = ("--input-shape", "input=1x576", "--input-value", "sr=16000")
    return Case(silero("silero_vad_16k_op15.onnx"), silero_samples(), None, fixed)


def _dgaintel() -> Case:
    from dgaintel import domain_samples
    from models import packaged_file

    metric = ("--metric", "binary-accuracy")
    return Case(packaged_file("dgaintel", "dgaintel/domain_classifier_model.h5"), *domain_samples(), metric)


CASES: Mapping[str, Callable[[], Case]] = {
    "resnet8": lambda: Case(data_file("mlperf_tiny/pretrainedResnet.h5"), *cifar_samples()),
    "ad01": lambda: Case(data_file("mlperf_tiny/ad01.h5"), *anomaly_samples()),
    "kws": lambda: Case(data_file("mlperf_tiny/kws_ref_model"), *keyword_samples(0.003)),
    "lite0": lambda: Case(efficientnet_lite0(), *imagenet_two_fifths((0, 2))),
    **{f"digits {kind}": partial(_digits, kind) for kind in ("lstm", "gru", "transformer", "decoder")},
    **{name: partial(_picture, make) for name, make in {**generative.NETWORKS, **vision_blocks.NETWORKS}.items()},
    **{f"{kind} {framework}": partial(_architecture, kind, framework) for kind in TASKS for framework in FRAMEWORKS},
    "basic_pitch": lambda: Case(basic_pitch_model(".onnx"), *basic_pitch_samples()),
    "silero": _silero,
    "dgaintel": _dgaintel,
}


def table(reports: Mapping[str, dict[str, Any]]) -> str:
    """One line a network."""
    heads = (
        "network",
        "multiply-accumulates",
        "parameters",
        "pruned float",
        "int8 on top",
        "int8 .tflite",
        "int8 .onnx",
        "whole",
    )
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += [_row(name, report) for name, report in reports.items() if "missing" not in report]
    return "\n".join(lines) + "\n"


def _row(name: str, report: dict[str, Any]) -> str:
    found = report["pruning"]
    if found is None:
        return f"| {name} | **{'; '.join(one['message'] for one in report['failures'])}** |"
    files = [_shrunk(report, file_format) for file_format in ("tflite", "onnx")]
    closeness = [_closeness(_entry(report, role)) for role in ("pruned", "artifact")]
    cells = (name, _change(found["macs"]), _change(found["parameters"]), *closeness, *map(_shown, files))
    return "| " + " | ".join((*cells, str(len(found["protected"])))) + " |"


def _shown(share: float | None) -> str:
    return "" if share is None else f"{share - 1:+.0%}"


def _change(before_after: Sequence[int]) -> str:
    before, after = before_after
    return f"{before / 1e6:.2f} M, {after / before - 1:+.0%}"


def _entry(report: dict[str, Any], role: str, file_format: str | None = None) -> dict[str, Any] | None:
    """The first file of a role that was made, of a format or of any."""
    return next(
        (one for one in report["entries"] if one["role"] == role and file_format in (None, one["format"])), None
    )


def _closeness(entry: dict[str, Any] | None) -> str:
    if entry is None or entry["agreement"] is None:
        return "**none**"
    agreement = entry["agreement"]
    same = agreement["equal_decisions"]
    return f"{agreement['sqnr_db']:.1f} dB" + ("" if same is None else f", {same:.3f}")


def _shrunk(report: dict[str, Any], file_format: str) -> float | None:
    """The int8 file's size over the unpruned one's."""
    pair = [_entry(report, role, file_format) for role in ("artifact", "unpruned")]
    sizes = [None if entry is None else entry["size_bytes"] for entry in pair]
    return sizes[0] / sizes[1] if sizes[0] and sizes[1] else None


def _result(reports: Mapping[str, dict[str, Any]], share: float, whole: bool) -> Result:
    made = {name: report for name, report in reports.items() if "missing" not in report}
    figures = [Figure("networks that were not pruned", sum(one["pruning"] is None for one in made.values()), limit=0)]
    for name, report in made.items():
        if report["pruning"] is not None:
            figures += _figures(name, report)
    return Result(
        name=f"pruned_architectures_{100 * share:.0f}" + ("" if whole else "_selected"),
        title=f"Every network with {share:.0%} of its multiply-accumulates removed",
        figures=figures,
        samples="those of the runs that the networks come from",
        notes=[f"{name}: {report['missing']}" for name, report in reports.items() if "missing" in report],
    )


def _figures(name: str, report: dict[str, Any]) -> list[Figure]:
    before, after = report["pruning"]["macs"]
    gone = Figure(f"{name}: multiply-accumulates removed", 100 * (1 - after / before), "%")
    pruned = _entry(report, "pruned")
    closeness = [] if pruned is None else [Figure(f"{name}: pruned float", pruned["agreement"]["sqnr_db"], "dB")]
    sizes = [(kind, _shrunk(report, kind)) for kind in ("tflite", "onnx")]
    files = [
        Figure(f"{name}: size of the unpruned int8 {kind}", size, "", 1 + MOST_SURPLUS) for kind, size in sizes if size
    ]
    return [gone, *closeness, *files]


if __name__ == "__main__":
    sys.exit(main())
