"""MiniLM with fewer heads and neurons, no training: cosine of its sentence embeddings, latency in float and int8.

    EDGEKIT_DATA=<folder> python scripts/bench/pruned_minilm.py [--share 0.2] [--no-files] [--no-timing]

600 movie review sentences choose and repair, 500 others judge. Beside it the smallest neurons gone without repair, and
Torch-Pruning by magnitude. Its Taylor importance wants the gradients of a loss, which an encoder without classes does not have.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit
from minilm import (
    EVALUATED,
    TOKENS,
    Arrays,
    contender_of,
    cosines,
    embeddings_of,
    model_folder,
    network,
    original,
    shuffled_sentences,
    text_file,
    tokens_of,
)
from models import WORK
from numpy.typing import NDArray
from results import Figure, Result, load_average, publish

from edgekit.benchmark import TimingRequest, time_here
from edgekit.latency import Timing, ratio
from edgekit.protocols import Silent

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4)
TIMED_SHARE = 0.2
SMALLEST_COSINE = {0.2: 0.97}
FITTED, NOT_THESE = 600, 200
"""Sentences to choose and repair, behind those of `minilm.py`, of which the first calibrate and the others evaluate."""

FORMATS = ("onnx", "tflite")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, action="append", help="Only this part removed. Repeatable.")
    parser.add_argument("--no-files", action="store_true", help="Time the files that are there.")
    parser.add_argument("--no-timing", action="store_true")
    parser.add_argument("--min-seconds", type=float, default=2.0)
    options = parser.parse_args()
    lines = shuffled_sentences()
    evaluate = text_file("evaluate", lines[NOT_THESE : NOT_THESE + EVALUATED])
    fit = text_file("prune", lines[NOT_THESE + EVALUATED :][:FITTED])
    found = []
    if not options.no_files:
        _convert("whole", fit, "float32"), _convert("whole", fit, "int8")
        samples = tokens_of(_file("whole", "float32", "onnx"), evaluate)
        wanted = original(samples)
        found = [publish(_pruned(share, fit, samples, wanted)) for share in options.share or SHARES]
    if not options.no_timing:
        load_before = load_average()
        samples = tokens_of(_file("whole", "float32", "onnx"), evaluate)
        found.append(publish(_timed(samples, options.min_seconds), load_before))
    return max(found, default=0)


def _convert(name: str, fit: Path, precision: str, *options: str) -> tuple[float, float, dict[str, Any]]:
    """CPU seconds and megabytes of the command, and its report."""
    report, took = edgekit(
        *("convert", model_folder(), "--no-checks", "-o", _folder(name), "--precision", precision),
        *("--calibrate", fit, "--input-shape", f"1,{TOKENS}", *options),
    )
    return took.cpu_seconds, took.peak_bytes / 1e6, report


def _folder(name: str) -> Path:
    return WORK / f"minilm_{name}"


def _file(name: str, precision: str, file_format: str) -> Path:
    return _folder(name) / f"{model_folder().name}.{precision}.{file_format}"


def _pruned(share: float, fit: Path, samples: Arrays, wanted: NDArray[np.float32]) -> Result:
    name, option = _name(share), f"{100 * share:g}%"
    seconds, megabytes, report = _convert(name, fit, "float32", "--prune", option, "--force")
    figures = [*_removed(report), *_cosines(name, "float32", share, wanted, samples)]
    if share == TIMED_SHARE:
        _convert(name, fit, "int8", "--prune", option, "--force")
        figures += _cosines(name, "int8", share, wanted, samples)
    figures += [
        Figure("CPU seconds of the float conversion", seconds, "s"),
        Figure("its largest process", megabytes, "MB"),
        *_peers(share, samples, wanted),
    ]
    return Result(
        name=f"pruned_minilm_{100 * share:.0f}",
        title=f"MiniLM at {TOKENS} tokens, {share:.0%} of the multiply-accumulates removed, no training",
        figures=figures,
        samples=f"{FITTED} sentences of rt_polarity to choose and repair; {EVALUATED} others",
    )


def _name(share: float) -> str:
    return f"pruned_{100 * share:.0f}"


def _removed(report: dict[str, Any]) -> Iterator[Figure]:
    before, after = report["pruning"]["macs"]
    yield Figure("multiply-accumulates removed", 100 * (1 - after / before), "%")
    for kind, word in (("heads", "attention"), ("neurons", "intermediate")):
        layers = [layer for layer in report["pruning"]["layers"] if word in layer["name"]]
        gone = sum(layer["units"] - layer["left"] for layer in layers)
        beside = ", ".join(str(layer["left"]) for layer in layers)
        yield Figure(f"{kind} removed", gone, beside=f"left where any went: {beside}" if beside else "")


def _cosines(name: str, precision: str, share: float, wanted: NDArray[np.float32], samples: Arrays) -> Iterator[Figure]:
    for file_format in FORMATS:
        found = cosines(wanted, embeddings_of(_file(name, precision, file_format), samples))
        yield _cosine(f"{precision} .{file_format}", found, SMALLEST_COSINE.get(share))


def _cosine(what: str, found: NDArray[np.float32], limit: float | None = None) -> Figure:
    beside = f"worst {found.min():.3f}, 1st percentile {np.quantile(found, 0.01):.3f}"
    return Figure(f"cosine, {what}", float(found.mean()), "", limit, at_least=True, beside=beside)


def _peers(share: float, samples: Arrays, wanted: NDArray[np.float32]) -> Iterator[Figure]:
    """Neurons that make as many multiply-accumulates, by two ways that repair nothing."""
    for what, encoder in (
        ("smallest neurons of each layer, no repair", _without_smallest(share)),
        ("Torch-Pruning, magnitude", _torch_pruned(share, samples)),
    ):
        yield _cosine(what, cosines(wanted, original(samples, encoder)))


def _without_smallest(share: float) -> Any:
    """The weights of the neurons with the smallest product of norms at 0."""
    import torch

    encoder = network()
    with torch.no_grad():
        for layer in encoder.encoder.layer:
            up, down = layer.intermediate.dense.weight, layer.output.dense.weight
            gone = (up.norm(dim=1) * down.norm(dim=0)).argsort()[: round(_neurons(encoder, share) * len(up))]
            down[:, gone] = 0
    return encoder


def _neurons(encoder: Any, share: float) -> float:
    """The part of the neurons that makes this part of the multiply-accumulates, a token's scores included."""
    width, inner = encoder.config.hidden_size, encoder.config.intermediate_size
    layer = 4 * width * width + 2 * width * inner + 2 * TOKENS * width
    return float(share * layer / (2 * width * inner))


def _torch_pruned(share: float, samples: Arrays) -> Any:
    """Neurons of all layers ranked together; what the residual stream and the heads tie to the model's width is left alone."""
    import torch
    import torch_pruning

    encoder = network()
    kept = [
        module
        for name, module in encoder.named_modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding | torch.nn.LayerNorm)
        and not name.endswith("intermediate.dense")
    ]
    example = {name: torch.from_numpy(array[:1]) for name, array in samples.items()}
    pruner = torch_pruning.pruner.MetaPruner(
        encoder,
        example,
        torch_pruning.importance.GroupMagnitudeImportance(),
        pruning_ratio=_neurons(encoder, share),
        global_pruning=True,
        ignored_layers=kept,
        forward_fn=lambda model, inputs: model(**inputs).last_hidden_state,
    )
    pruner.step()
    return encoder


def _timed(samples: Arrays, min_seconds: float) -> Result:
    files = {
        f"{name} {precision} .{file_format}": _file(name, precision, file_format)
        for precision in ("float32", "int8")
        for file_format in FORMATS
        for name in ("whole", _name(TIMED_SHARE))
    }
    timing = Timing(min_seconds=min_seconds, max_seconds=2 * min_seconds, warm_up_seconds=0.5)
    contenders = tuple(contender_of(path, samples) for path in files.values())
    found = dict(zip(files, time_here(TimingRequest(contenders, timing, False), Silent()), strict=True))
    return Result(
        name="latency_pruned_minilm",
        title=f"Latency of MiniLM at {TOKENS} tokens, {TIMED_SHARE:.0%} removed, one thread",
        figures=[*_ratios(found)],
        samples="one sentence a call",
        timed=True,
    )


def _ratios(found: Mapping[str, Any]) -> Iterator[Figure]:
    names: Sequence[str] = [*found]
    for whole, pruned in zip(names[::2], names[1::2], strict=True):
        one = ratio(found[pruned], found[whole])
        times = " -> ".join(f"{found[name].p50_ns.value / 1e6:.2f}" for name in (whole, pruned))
        yield Figure(f"time, {pruned} over whole", one.value, beside=f"{one.low:.3f} to {one.high:.3f}; {times} ms")


if __name__ == "__main__":
    sys.exit(main())
