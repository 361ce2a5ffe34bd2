"""Peak memory of calibrating EfficientNet-Lite0 with histograms on 100 and on 400 pictures (run 5a of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/calibration_memory.py [--peer]

The figure is the largest resident size of the conversion's processes: reading, calibrating and writing included. ``--peer``
also runs ONNX Runtime's percentile calibrator on 100 pictures, which takes about 7 GB.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from commands import edgekit, peer
from models import WORK, efficientnet_lite0, imagenet_samples
from results import Figure, Result, publish

OBSERVERS = ("percentile", "entropy", "mse")
LARGEST_MB, LARGEST_GROWTH = 1000.0, 1.1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peer", action="store_true")
    with_peer = parser.parse_args().peer
    few, many = imagenet_samples()
    figures = []
    for observer in OBSERVERS:
        small, large = _peak_mb(observer, few), _peak_mb(observer, many)
        figures.append(Figure(f"{observer}, 100 pictures", small, "MB", LARGEST_MB))
        figures.append(Figure(f"{observer}, 400 pictures", large, "MB", LARGEST_MB))
        figures.append(Figure(f"{observer}, 400 over 100 pictures", large / small, "", LARGEST_GROWTH))
    figures += [_standard_effort(few), _standard_effort(many)]
    if with_peer:
        took = peer("onnxruntime-percentile", efficientnet_lite0(), few, WORK / "peer_percentile.onnx")
        figures.append(Figure("ONNX Runtime's percentile calibrator, 100 pictures", took.peak_bytes / 1e6, "MB"))
    return publish(
        Result(
            name="calibration_memory",
            title="Peak memory of converting EfficientNet-Lite0, by observer",
            figures=figures,
            samples="100 and 400 pictures of imagenet/ as .npz, effort plain, no checks, unless the line says otherwise",
        )
    )


def _peak_mb(observer: str, samples: Path) -> float:
    return _convert(samples, "--effort", "plain", "--observer", observer)


def _standard_effort(samples: Path) -> Figure:
    with np.load(samples) as arrays:
        count = len(arrays["y"])
    return Figure(f"effort standard (mse and bias correction), {count} pictures", _convert(samples), "MB")


def _convert(samples: Path, *options: str) -> float:
    out = WORK / "calibration_memory"
    _, took = edgekit("convert", efficientnet_lite0(), "-o", out, "--calibrate", samples, "--no-checks", *options)
    return took.peak_bytes / 1e6


if __name__ == "__main__":
    sys.exit(main())
