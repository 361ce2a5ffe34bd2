#!/usr/bin/env python
"""A small network of ResNeXt blocks on scikit-learn's digits, trained here, without 30 % of its multiply-accumulates.

    python scripts/bench/grouped_digits.py

1,000 pictures train, 200 choose and refit, 597 others judge.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit, entry
from models import WORK
from results import Figure, Result, publish
from torch_training import save, train, unchanged

EPOCHS, RATE, WIDTH = 6, 3e-3, 8
"""``WIDTH``: channels of a group."""
LARGEST_DROP = 2.0


def main() -> int:
    model, calibrate, evaluate = trained()
    report, _ = edgekit(
        *("convert", model, "-o", WORK / "grouped_digits", "--prune", "30%"),
        *("--calibrate", calibrate, "--evaluate", evaluate),
    )
    samples = "200 digits to choose and refit, 597 others to judge"
    return publish(Result("grouped_digits", "ResNeXt blocks, digits, -30 %", list(_figures(report)), samples))


def _figures(report: dict[str, Any]) -> Iterator[Figure]:
    before, after = report["pruning"]["macs"]
    yield Figure("multiply-accumulates left", after / before, "", 0.7)
    yield Figure("layers that are narrower", len(report["pruning"]["layers"]), "", 3, at_least=True)
    yield Figure("top-1, original", 100 * entry(report, "original")["accuracy"], "%")
    for name in ("pruned float32 tflite", "pruned float32 onnx", "int8.tflite", "int8.onnx"):
        yield Figure(f"points of top-1 lost, {name}", entry(report, name)["drop_points"], "", LARGEST_DROP)


def trained() -> tuple[Path, Path, Path]:
    """The network as an exported program, samples to calibrate, samples to judge."""
    import torch
    from sklearn.datasets import load_digits

    path, calibrate, evaluate = (WORK / f"grouped_digits{end}" for end in (".pt2", ".calibrate.npz", ".evaluate.npz"))
    pictures, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pictures))
    x = (pictures[order].reshape(-1, 1, 8, 8) / 8 - 1).astype(np.float32)
    y = digits[order].astype(np.int64)
    torch.manual_seed(0)
    network = _network()
    train(network, x[:1000], y[:1000], torch.nn.CrossEntropyLoss(), EPOCHS, RATE, unchanged)
    save(network, (torch.zeros(2, 1, 8, 8),), path)
    np.savez(calibrate, x=x[1000:1200], y=y[1000:1200])
    np.savez(evaluate, x=x[1200:], y=y[1200:])
    return path, calibrate, evaluate


def _network() -> Any:
    from torch import nn

    class Block(nn.Module):
        def __init__(self, given: int, channels: int) -> None:
            super().__init__()
            self.made = nn.Sequential(
                *(nn.Conv2d(given, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()),
                *(nn.Conv2d(channels, channels, 3, 1, 1, groups=channels // WIDTH, bias=False),),
                *(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1, bias=False)),
                nn.BatchNorm2d(channels),
            )
            self.beside = nn.Identity() if given == channels else nn.Conv2d(given, channels, 1)

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.beside(x) + self.made(x))

    stem = (nn.Conv2d(1, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    ends = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return nn.Sequential(*stem, Block(32, 32), Block(32, 64), nn.MaxPool2d(2), Block(64, 64), *ends)


if __name__ == "__main__":
    sys.exit(main())
