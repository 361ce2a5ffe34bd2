"""MiniLM with fewer heads and neurons, no training: cosine of its sentence embeddings, latency in float and int8.

    EDGEKIT_DATA=<folder> python scripts/bench/pruned_minilm.py [--share 0.2] [--no-timing]

600 movie review sentences choose and repair, 500 others judge; of the share that is timed, the pruned float file becomes int8
with 200 of the 600. Files that are there already are measured as they are. Beside it the smallest neurons gone without repair,
and Torch-Pruning by magnitude. Its Taylor importance wants the gradients of a loss, which an encoder without classes does not
have.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit
from minilm import (
    CALIBRATED,
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
    parser.add_argument("--no-timing", action="store_true")
    parser.add_argument("--min-seconds", type=float, default=2.0)
    options = parser.parse_args()
    lines = shuffled_sentences()
    evaluate = text_file("evaluate", lines[NOT_THESE : NOT_THESE + EVALUATED])
    fit = text_file("prune", lines[NOT_THESE + EVALUATED :][:FITTED])
    _floats("whole", fit)
    samples = tokens_of(_float("whole", "onnx"), evaluate)
    wanted = original(samples)
    found = [publish(_pruned(share, fit, samples, wanted)) for share in options.share or SHARES]
    if not options.no_timing:
        _integers("whole", fit)
        _integers(_name(TIMED_SHARE), fit)
        load_before = load_average()
        found.append(publish(_timed(samples, options.min_seconds), load_before))
    return max(found)


def _floats(name: str, fit: Path, *prune: str) -> Iterator[Figure]:
    """Write the float files; what the command took, unless they were there already."""
    if all(_float(name, file_format).exists() for file_format in FORMATS):
        return iter(())
    fixed = ("--input-shape", f"1,{TOKENS}", "--precision", "float32", "--no-checks")
    _, took = edgekit("convert", model_folder(), "-o", _folder(name), *fixed, "--calibrate", fit, *prune)
    return iter(
        (
            Figure("CPU seconds of the float conversion", took.cpu_seconds, "s"),
            Figure("its largest process", took.peak_bytes / 1e6, "MB"),
        )
    )


def _integers(name: str, fit: Path) -> None:
    """Write the int8 files of a float file, unless they are there already."""
    if all(_int8(name, file_format).exists() for file_format in FORMATS):
        return
    tokens = WORK / "minilm_pruned_tokens.npz"
    few = text_file("calibrate_pruned", fit.read_text("utf-8").splitlines()[:CALIBRATED])
    np.savez(tokens, **tokens_of(_float("whole", "onnx"), few))
    edgekit("convert", _float(name, "onnx"), "-o", _folder(name) / "int8", "--calibrate", tokens, "--no-checks")


def _folder(name: str) -> Path:
    return WORK / f"minilm_{name}"


def _float(name: str, file_format: str) -> Path:
    return _folder(name) / f"{model_folder().name}.float32.{file_format}"


def _int8(name: str, file_format: str) -> Path:
    return _folder(name) / "int8" / f"{_float(name, 'onnx').stem}.int8.{file_format}"


def _pruned(share: float, fit: Path, samples: Arrays, wanted: NDArray[np.float32]) -> Result:
    name, limit = _name(share), SMALLEST_COSINE.get(share)
    took = [*_floats(name, fit, "--prune", f"{100 * share:g}%", "--force")]
    figures = [*_removed(name), *_cosines(name, _float, limit, wanted, samples)]
    if share == TIMED_SHARE:
        _integers(name, fit)
        figures += _cosines(name, _int8, limit, wanted, samples)
    return Result(
        name=f"pruned_minilm_{100 * share:.0f}",
        title=f"MiniLM at {TOKENS} tokens, {share:.0%} of the multiply-accumulates removed, no training",
        figures=[*figures, *took, *_peers(share, samples, wanted)],
        samples=f"{FITTED} sentences of rt_polarity to choose and repair; {EVALUATED} others",
    )


def _name(share: float) -> str:
    return f"pruned_{100 * share:.0f}"


def _removed(name: str) -> Iterator[Figure]:
    pruning = json.loads((_folder(name) / "report.json").read_text("utf-8"))["pruning"]
    before, after = pruning["macs"]
    yield Figure("multiply-accumulates removed", 100 * (1 - after / before), "%")
    for kind, word in (("heads", "attention"), ("neurons", "intermediate")):
        layers = [layer for layer in pruning["layers"] if word in layer["name"]]
        gone = sum(layer["units"] - layer["left"] for layer in layers)
        beside = ", ".join(str(layer["left"]) for layer in layers)
        yield Figure(f"{kind} removed", gone, beside=f"left where any went: {beside}" if beside else "")


def _cosines(
    name: str,
    file_of: Callable[[str, str], Path],
    limit: float | None,
    wanted: NDArray[np.float32],
    samples: Arrays,
) -> Iterator[Figure]:
    for file_format in FORMATS:
        path = file_of(name, file_format)
        what = f"{'int8' if file_of is _int8 else 'float'} .{file_format}"
        yield _cosine(what, cosines(wanted, embeddings_of(path, samples)), limit)


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
        f"{name} {kind} .{file_format}": file_of(name, file_format)
        for kind, file_of in (("float", _float), ("int8", _int8))
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
