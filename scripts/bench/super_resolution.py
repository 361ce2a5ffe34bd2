#!/usr/bin/env python
"""Train a small super-resolution network of dense residual blocks and a pixel shuffle, once.

Usage: super_resolution.py. Writes super_resolution.pt2 and samples to out/bench (or EDGEKIT_BENCH).
Blocks after X. Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", 2018 (no batch normalization,
residuals scaled by .2); trained on the squared error alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from esrgan_slim import upscaling_pictures
from models import WORK, data_file
from numpy.typing import NDArray
from sample_files import Arrays, sample_files
from torch_training import save

CHANNELS, GROWTH, BLOCKS = 32, 16, 3
STEPS = 400
SIDE = 24
"""Pixels of a training patch's side, of the pictures before upscaling."""


def main() -> None:
    print(super_resolution(), *upscaling_planes())


def super_resolution() -> Path:
    """Pictures (N, 3, H, W) in 0..1 to pictures of twice the side."""
    path = WORK / "super_resolution.pt2"
    if not path.exists():
        import torch

        torch.manual_seed(0)
        network = _network()
        _train(network, _training_pictures())
        save(network, (torch.zeros(2, 3, 64, 64),), path)
    return path


def upscaling_planes() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz of small pictures (N, 3, 64, 64) in 0..1."""

    def made() -> tuple[Arrays, Arrays]:
        calibrate, evaluate = upscaling_pictures()
        return {"x": _planes(calibrate["x"])}, {"x": _planes(evaluate["x"])}

    return sample_files("upscaling_planes", made)


def _planes(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2) / 255)


def _training_pictures() -> NDArray[np.float32]:
    """(100, 3, 224, 224) in 0..1, none of which is evaluated."""
    from PIL import Image

    files = sorted(data_file("imagenet").glob("*.jpg"))[:100]
    pictures = np.stack([np.asarray(Image.open(file).convert("RGB"), np.float32) for file in files])
    return pictures.transpose(0, 3, 1, 2) / 255


def _train(network: Any, pictures: NDArray[np.float32]) -> None:
    import torch

    whole = torch.from_numpy(pictures)
    half = torch.nn.functional.interpolate(whole, scale_factor=0.5, mode="bicubic", antialias=True).clip(0, 1)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    random = np.random.default_rng(0)
    for step in range(STEPS):
        places = zip(random.integers(0, len(whole), 16), *random.integers(0, 112 - SIDE, (2, 16)), strict=True)
        patches = [
            (half[n, :, y : y + SIDE, x : x + SIDE], whole[n, :, 2 * y : 2 * (y + SIDE), 2 * x : 2 * (x + SIDE)])
            for n, y, x in places
        ]
        given, wanted = (torch.stack(list(part)) for part in zip(*patches, strict=True))
        loss = torch.nn.functional.mse_loss(network(given), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            print(f"step {step + 1} of {STEPS}: {-10 * np.log10(float(loss.detach())):.2f} dB", flush=True)


def _network() -> Any:
    import torch
    from torch import nn

    class Dense(nn.Module):
        """Four convolutions, each of which reads what all before it gave."""

        def __init__(self) -> None:
            super().__init__()
            counts = [CHANNELS + index * GROWTH for index in range(4)]
            self.grow = nn.ModuleList(nn.Conv2d(count, GROWTH, 3, 1, 1) for count in counts[:-1])
            self.join = nn.Conv2d(counts[-1], CHANNELS, 3, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            known = x
            for convolution in self.grow:
                known = torch.cat([known, nn.functional.leaky_relu(convolution(known), 0.2)], 1)
            joined: torch.Tensor = x + 0.2 * self.join(known)
            return joined

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, CHANNELS, 3, 1, 1)
            self.trunk = nn.Sequential(*(Dense() for _ in range(BLOCKS)))
            self.rise = nn.Sequential(nn.Conv2d(CHANNELS, 4 * CHANNELS, 3, 1, 1), nn.PixelShuffle(2), nn.LeakyReLU(0.2))
            self.last = nn.Conv2d(CHANNELS, 3, 3, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            features = self.first(x)
            made: torch.Tensor = self.last(self.rise(features + self.trunk(features)))
            return made + nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear")

    return Network()


if __name__ == "__main__":
    main()
