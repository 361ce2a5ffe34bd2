"""A variational autoencoder: sampling can't be a part of a converted file, so its noise becomes an input, or the mean is taken.

``python examples/architectures/vae_pytorch.py FOLDER`` writes both forms and prints the commands that convert them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from digit_samples import convert_command, digits, save_samples
from torch import Tensor, nn

LATENT = 8


class Autoencoder(nn.Module):
    """Pictures (N, 64) and noise (N, 8) to pictures (N, 64). Noise of zeros is the mean path."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(48, LATENT), nn.Linear(48, LATENT)
        self.decoder = nn.Sequential(nn.Linear(LATENT, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid())

    def forward(self, picture: Tensor, noise: Tensor) -> Tensor:
        hidden = self.encoder(picture)
        drawn: Tensor = self.decoder(self.mean(hidden) + torch.exp(0.5 * self.log_variance(hidden)) * noise)
        return drawn


class MeanPath(nn.Module):
    """The same network without noise: what a device needs to reconstruct or to find anomalies."""

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        drawn: Tensor = self.network.decoder(self.network.mean(self.network.encoder(picture)))
        return drawn


def main(folder: Path) -> None:
    torch.manual_seed(0)
    pictures = digits()[0].reshape(-1, 64)
    network = Autoencoder()
    train(network, torch.from_numpy(pictures[200:]))
    seeded = np.random.default_rng(0).standard_normal((200, LATENT), np.float32)
    save_samples(folder / "pictures.npz", picture=pictures[:200])
    save_samples(folder / "pictures_and_noise.npz", picture=pictures[:200], noise=seeded)
    example = torch.from_numpy(pictures[:2])
    export(folder / "vae_mean.pt2", MeanPath(network), example)
    export(folder / "vae_noise.pt2", network, example, torch.from_numpy(seeded[:2]))
    print(convert_command(folder / "vae_mean.pt2", folder / "pictures.npz", "--metric reconstruction-mse"))
    print(convert_command(folder / "vae_noise.pt2", folder / "pictures_and_noise.npz"))


def train(network: Autoencoder, pictures: Tensor) -> None:
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(300):
        part = pictures[32 * (step % 15) :][:32]
        hidden = network.encoder(part)
        mean, log_variance = network.mean(hidden), network.log_variance(hidden)
        drawn = network(part, torch.randn(len(part), LATENT))
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        loss = nn.functional.binary_cross_entropy(drawn, part, reduction="sum") + 0.1 * divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def export(path: Path, network: nn.Module, *examples: Tensor) -> None:
    batch = torch.export.Dim("batch")
    program = torch.export.export(network.eval(), examples, dynamic_shapes=tuple({0: batch} for _ in examples))
    torch.export.save(program, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
