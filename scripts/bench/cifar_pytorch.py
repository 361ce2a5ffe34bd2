#!/usr/bin/env python
"""Train two small PyTorch networks on CIFAR-10, once: one of EfficientNet blocks and a vision Transformer.

Usage: cifar_pytorch.py. Writes mbconv_pytorch.pt2, vit_pytorch.pt2 and samples to out/bench (or EDGEKIT_BENCH).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from models import WORK, data_file
from numpy.typing import NDArray
from sample_files import Arrays, cifar_parts, sample_files
from torch_training import save, shifted_and_mirrored, train

EPOCHS = {"mbconv": 16, "vit": 9}
STAGES = ((1, 16, 2), (4, 24, 1), (4, 40, 2), (4, 40, 1), (4, 80, 2), (4, 80, 1))
"""Expansion, channels, stride of every block of the EfficientNet-like network."""
WIDTH, HEADS, LAYERS, PATCH = 64, 4, 4, 4


def main() -> None:
    for kind in EPOCHS:
        print(cifar_pytorch(kind))


def cifar_pytorch(kind: str) -> Path:
    """``kind`` "mbconv" or "vit": ``x`` (N, 3, 32, 32) in -2..2 to logits (N, 10)."""
    path = WORK / f"{kind}_pytorch.pt2"
    if not path.exists():
        import torch

        torch.manual_seed(0)
        network = _efficient() if kind == "mbconv" else _transformer()
        network = network.to(memory_format=torch.channels_last)  # twice as fast to train
        training = np.load(data_file("cifar10_train.npz"))
        x, y = _planes(training["x"]), training["y"].reshape(-1).astype(np.int64)
        loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
        train(network, x, y, loss, EPOCHS[kind], 3e-3 if kind == "mbconv" else 1.5e-3, shifted_and_mirrored)
        save(network, (torch.zeros(2, 3, 32, 32),), path)
    return path


def cifar_planes() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz: ``x`` (N, 3, 32, 32) in -2..2, ``y``; 200 training pictures, 2,000 of the others."""

    def made() -> tuple[Arrays, Arrays]:
        calibrate, evaluate = cifar_parts(2000)
        return {**calibrate, "x": _planes(calibrate["x"])}, {**evaluate, "x": _planes(evaluate["x"])}

    return sample_files("cifar_planes", made)


def _planes(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray((pictures.astype(np.float32) / 63.75 - 2).transpose(0, 3, 1, 2))


def _efficient() -> Any:
    """MBConv blocks as in M. Tan and Q. Le, "EfficientNet", 2019: SiLU, squeeze and excitation, residuals."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, given: int, expansion: int, channels: int, stride: int) -> None:
            super().__init__()
            wide = given * expansion
            self.residual = stride == 1 and given == channels
            self.expand = _normalized(nn.Conv2d(given, wide, 1, bias=False), wide)
            self.depthwise = _normalized(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), wide)
            self.gate = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(wide, max(given // 4, 4), 1),
                nn.SiLU(),
                nn.Conv2d(max(given // 4, 4), wide, 1),
                nn.Sigmoid(),
            )
            self.project = nn.Sequential(nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels))

        def forward(self, x: Any) -> Any:
            wide = self.depthwise(self.expand(x))
            made = self.project(wide * self.gate(wide))
            return x + made if self.residual else made

    def _normalized(convolution: Any, channels: int) -> Any:
        return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.SiLU())

    blocks, given = [], 24
    for expansion, channels, stride in STAGES:
        blocks.append(Block(given, expansion, channels, stride))
        given = channels
    stem = _normalized(nn.Conv2d(3, 24, 3, 1, 1, bias=False), 24)
    head = _normalized(nn.Conv2d(given, 192, 1, bias=False), 192)
    return nn.Sequential(stem, *blocks, head, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, 10))


def _transformer() -> Any:
    """A vision Transformer as in A. Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, with a class token."""
    import torch
    from torch import nn

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
            self.mix = nn.Sequential(nn.Linear(WIDTH, 3 * WIDTH), nn.GELU(), nn.Linear(3 * WIDTH, WIDTH))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.before(x)
            x = x + self.attention(tokens, tokens, tokens, need_weights=False)[0]
            return x + self.mix(self.between(x))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
            self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
            self.places = nn.Parameter(0.02 * torch.randn(1, 1 + (32 // PATCH) ** 2, WIDTH))
            self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)), nn.LayerNorm(WIDTH))
            self.head = nn.Linear(WIDTH, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.patches(x).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), tokens], 1) + self.places
            logits: torch.Tensor = self.head(self.layers(tokens)[:, 0])
            return logits

    return Network()


if __name__ == "__main__":
    main()
