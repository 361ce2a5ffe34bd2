"""What channels cost: chains of eight convolutions of each width (docs/pruning.md, "Channel counts").

    python scripts/bench/channel_counts.py [12 14 16 20 24 32 48 56 64] [--layer 3x3 --layer depthwise --layer 1x1]

Pruning pays where fewer channels take less time. A width's figure is its time over that of the narrowest multiple of 16 that
holds it, all files of a precision interleaved in one process: above 1, taking channels away from that multiple made the network
slower. Random weights: the time of a convolution does not depend on them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
from commands import edgekit
from models import WORK
from results import Figure, Result, load_average, publish

from edgekit.benchmark import TimingRequest, contender, time_here
from edgekit.latency import Timing, ratio
from edgekit.protocols import Silent
from edgekit_converters.hub.build import GraphBuilder

LAYER_KINDS = ("3x3", "depthwise", "1x1")
WIDTHS = (12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)
LAYERS, GRAIN = 8, 16


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--layer", action="append", choices=LAYER_KINDS, help="[default: all]")
    load, options = load_average(), parser.parse_args()
    return max(publish(_result(layer, sorted(options.widths)), load) for layer in options.layer or LAYER_KINDS)


def _result(layer: str, asked: Sequence[int]) -> Result:
    widths = sorted({*asked, *map(_multiple, asked)})
    files = {width: _files(layer, width) for width in widths}
    return Result(
        name=f"channel_counts_{layer}",
        title=f"Chains of {LAYERS} {layer} convolutions, over the narrowest multiple of {GRAIN} channels that holds them",
        figures=[figure for kind in files[widths[0]] for figure in _figures(layer, kind, widths, files)],
        timed=True,
    )


def _multiple(width: int) -> int:
    return -(-width // GRAIN) * GRAIN


def _pixels(width: int) -> int:
    """As in a CNN: the more channels, the fewer pixels a side."""
    return 32 if _multiple(width) <= 32 else 16


def _files(layer: str, width: int) -> dict[str, Path]:
    """A chain's files by precision and format."""
    side, out = _pixels(width), WORK / f"channel_counts_{layer}"
    out.mkdir(parents=True, exist_ok=True)
    model, samples = out / f"chain{width}.onnx", out / f"chain{width}.npz"
    random = np.random.default_rng(width)
    build = GraphBuilder()
    value = build.input("x", "float32", ("n", width, side, side))
    for _ in range(LAYERS):
        inputs, kernel = 1 if layer == "depthwise" else width, 1 if layer == "1x1" else 3
        weights = random.normal(0, (2 / (kernel**2 * inputs)) ** 0.5, (width, inputs, kernel, kernel))
        found = build.constant(weights.astype(np.float32))
        value = build.op("Conv", value, found, pads=[kernel // 2] * 4, group=width // inputs)
        value = build.op("Relu", value)
    build.output(value, "y")
    ir.save(build.build("test").model, model)
    np.savez(samples, x=random.normal(size=(8, width, side, side)).astype(np.float32))
    for precision in ("float32", "int8"):
        options = ("--precision", precision, "--calibrate", samples, "--effort", "plain", "--no-checks")
        edgekit("convert", model, "-o", out, *options)
    return {f"{p} .{f}": out / f"chain{width}.{p}.{f}" for p in ("float32", "int8") for f in ("onnx", "tflite")}


def _figures(layer: str, kind: str, widths: Sequence[int], files: dict[int, dict[str, Path]]) -> Iterator[Figure]:
    contenders = tuple(contender(files[width][kind]) for width in widths)
    found = time_here(TimingRequest(contenders, Timing(min_seconds=0.5), keep_samples=False), Silent())
    latencies = dict(zip(widths, found, strict=True))
    power = 1 if layer == "depthwise" else 2
    for width in widths:
        if width % GRAIN:
            over = ratio(latencies[width], latencies[_multiple(width)])
            beside = f"{over.low:.2f} to {over.high:.2f}; {(width / _multiple(width)) ** power:.2f} of the work"
            yield Figure(f"{kind}, {width} over {_multiple(width)} channels", over.value, beside=beside)


if __name__ == "__main__":
    sys.exit(main())
