#!/usr/bin/env python
"""Train a deeper PyTorch network on CIFAR-10, once: SiLU, squeeze and excitation, concatenations, residuals.

Usage: cifar_blocks.py. Writes blocks_pytorch.pt, its weights, to out/bench (or EDGEKIT_BENCH). About ten minutes of CPU time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from models import WORK, data_file
from numpy.typing import NDArray
from torch_training import shifted_and_mirrored, train

EPOCHS, RATE = 24, 3e-3


def main() -> None:
    print(cifar_blocks())


def cifar_blocks() -> Any:
    """The trained network in evaluation mode: pictures (N, 3, 32, 32) in -2..2 to logits (N, 10)."""
    import torch

    path = WORK / "blocks_pytorch.pt"
    torch.manual_seed(0)
    network = blocks_network()
    if path.exists():
        network.load_state_dict(torch.load(path, weights_only=True))
    else:
        x, y = cifar_arrays("cifar10_train.npz")
        loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
        network = network.to(memory_format=torch.channels_last)  # twice as fast to train
        train(network, x, y, loss, EPOCHS, RATE, shifted_and_mirrored)
        WORK.mkdir(parents=True, exist_ok=True)
        torch.save(network.to(memory_format=torch.contiguous_format).state_dict(), path)
    return network.eval()


def cifar_arrays(name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pictures (N, 3, 32, 32) float32 in -2..2 and classes (N,) int64 of a file of the data folder."""
    stored = np.load(data_file(name))
    pictures = (stored["x"].astype(np.float32) / 63.75 - 2).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pictures), stored["y"].reshape(-1).astype(np.int64)


def blocks_network() -> Any:
    """Inverted residuals after M. Tan and Q. Le, "EfficientNet", 2019, between blocks whose branches are concatenated, after
    C. Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", 2017. Untrained."""
    import torch
    from torch import nn

    def convolution(given: int, channels: int, size: int, stride: int = 1, groups: int = 1) -> Any:
        layer = nn.Conv2d(given, channels, size, stride, size // 2, groups=groups, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(channels), nn.SiLU())

    class Gate(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.pool, self.narrow = nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels // 4, 1)
            self.widen = nn.Conv2d(channels // 4, channels, 1)

        def forward(self, x: Any) -> Any:
            return x * torch.sigmoid(self.widen(nn.functional.silu(self.narrow(self.pool(x)))))

    class Branches(nn.Module):
        """One 1x1, one 3x3 and two 3x3 in a row, concatenated, projected, gated, added to the input."""

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.point = convolution(channels, channels // 2, 1)
            self.near = convolution(channels, 2 * channels // 3, 3)
            self.far = convolution(2 * channels // 3, 2 * channels // 3, 3)
            joined = channels // 2 + 2 * (2 * channels // 3)
            self.project = nn.Sequential(nn.Conv2d(joined, channels, 1, bias=False), nn.BatchNorm2d(channels))
            self.gate = Gate(channels)

        def forward(self, x: Any) -> Any:
            near = self.near(x)
            return x + self.gate(self.project(torch.cat([self.point(x), near, self.far(near)], 1)))

    class Inverted(nn.Module):
        def __init__(self, given: int, channels: int, stride: int) -> None:
            super().__init__()
            self.expand = convolution(given, 3 * given, 1)
            self.depthwise = convolution(3 * given, 3 * given, 3, stride, 3 * given)
            self.gate = Gate(3 * given)
            self.project = nn.Sequential(nn.Conv2d(3 * given, channels, 1, bias=False), nn.BatchNorm2d(channels))

        def forward(self, x: Any) -> Any:
            return self.project(self.gate(self.depthwise(self.expand(x))))

    return nn.Sequential(
        *(convolution(3, 24, 3), convolution(24, 48, 3, 2), Branches(48), Branches(48), Inverted(48, 96, 2)),
        *(Branches(96), Branches(96), Inverted(96, 128, 2), convolution(128, 256, 1)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10)),
    )


if __name__ == "__main__":
    main()
