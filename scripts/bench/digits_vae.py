#!/usr/bin/env python
"""Train a convolutional variational autoencoder on handwritten digits, once.

Usage: digits_vae.py. Writes vae.pt2, vae_mean.pt2, vae_decoder.pt2 and samples to out/bench (or EDGEKIT_BENCH).
A network that draws its noise inside can't be converted, so the noise is an input: D. Kingma and M. Welling, "Auto-Encoding
Variational Bayes", 2014, section 2.4 (z = mean + deviation x noise).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from digit_pictures import digit_pictures
from models import WORK
from sample_files import Arrays, sample_files
from torch_training import save

LATENT = 16
EPOCHS = 25
PARTS = ("vae", "vae_mean", "vae_decoder")


def main() -> None:
    for part in PARTS:
        print(vae(part))


def vae(part: str) -> Path:
    """``vae``: picture (N, 1, 28, 28) in 0..1 and noise (N, 16) to picture; ``vae_mean``: picture to the latent mean;
    ``vae_decoder``: a latent vector to a picture."""
    path = WORK / f"{part}.pt2"
    if not path.exists():
        _train_all()
    return path


def vae_samples(part: str) -> tuple[Path, Path]:
    """(calibration, evaluation) .npz: 200 and 500 samples."""

    def made() -> tuple[Arrays, Arrays]:
        pictures = digit_pictures()[:700]
        noise = np.random.default_rng(2).standard_normal((700, LATENT)).astype(np.float32)
        arrays: Arrays = {
            "vae": {"picture": pictures, "noise": noise},
            "vae_mean": {"x": pictures},
            "vae_decoder": {"x": noise},
        }[part]
        return {name: array[:200] for name, array in arrays.items()}, {name: a[200:] for name, a in arrays.items()}

    return sample_files(part, made)


def _train_all() -> None:
    import torch

    torch.manual_seed(0)
    network = _network()
    _train(network, torch.from_numpy(digit_pictures()))
    picture, latent = torch.zeros(2, 1, 28, 28), torch.zeros(2, LATENT)
    save(network, (picture, latent), WORK / "vae.pt2")
    save(network.mean_path(), (picture,), WORK / "vae_mean.pt2")
    save(network.decoder_path(), (latent,), WORK / "vae_decoder.pt2")


def _train(network: Any, pictures: Any) -> None:
    import torch

    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for epoch in range(EPOCHS):
        total = 0.0
        for chosen in torch.randperm(len(pictures)).split(64):
            loss = _bound(network, pictures[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1} of {EPOCHS}: {64 * total / len(pictures):.1f} nats a picture", flush=True)


def _bound(network: Any, pictures: Any) -> Any:
    """The negative evidence lower bound of a batch, per picture."""
    import torch

    mean, log_variance = network.encode(pictures)
    drawn = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
    made = network.decode(drawn)
    missed = torch.nn.functional.binary_cross_entropy(made, pictures, reduction="sum")
    return (missed - 0.5 * (1 + log_variance - mean**2 - torch.exp(log_variance)).sum()) / len(pictures)


def _network() -> Any:
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 32, 3, 2, 1),
                nn.ReLU(),
                nn.Conv2d(32, 64, 3, 2, 1),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(64 * 49, 2 * LATENT),
            )
            self.decoder = nn.Sequential(
                nn.Linear(LATENT, 64 * 49),
                nn.ReLU(),
                nn.Unflatten(1, (64, 7, 7)),
                nn.Upsample(scale_factor=2),
                nn.Conv2d(64, 64, 3, 1, 1),
                nn.ReLU(),
                nn.Upsample(scale_factor=2, mode="bilinear"),
                nn.Conv2d(64, 32, 3, 1, 1),
                nn.ReLU(),
                nn.Conv2d(32, 1, 3, 1, 1),
                nn.Sigmoid(),
            )

        def encode(self, picture: torch.Tensor) -> Any:
            return self.encoder(picture).chunk(2, 1)

        def decode(self, latent: torch.Tensor) -> Any:
            return self.decoder(latent)

        def forward(self, picture: torch.Tensor, noise: torch.Tensor) -> Any:
            mean, log_variance = self.encode(picture)
            return self.decode(mean + torch.exp(0.5 * log_variance) * noise)

        def mean_path(self) -> nn.Module:
            return Part(self, lambda picture: self.encode(picture)[0])

        def decoder_path(self) -> nn.Module:
            return Part(self, self.decode)

    class Part(nn.Module):
        """One way through the network, for a file of its own."""

        def __init__(self, whole: Network, way: Callable[[torch.Tensor], Any]) -> None:
            super().__init__()
            self.whole, self.way = whole, way

        def forward(self, x: torch.Tensor) -> Any:
            return self.way(x)

    return Network()


if __name__ == "__main__":
    main()
