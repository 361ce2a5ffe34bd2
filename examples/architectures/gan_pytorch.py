"""A GAN: generator and discriminator are two networks, converted each by itself.

``python examples/architectures/gan_pytorch.py FOLDER`` writes both and prints the commands that convert them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from digit_samples import convert_command, digits, save_samples
from torch import Tensor, nn

NOISE = 16


def make_generator() -> nn.Module:
    """Noise (N, 16) to pictures (N, 1, 8, 8) in -1..1."""
    return nn.Sequential(
        nn.Linear(NOISE, 32 * 4),
        nn.ReLU(),
        nn.Unflatten(1, (32, 2, 2)),
        nn.ConvTranspose2d(32, 16, 4, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, 2, 1),
        nn.Tanh(),
    )


def make_discriminator() -> nn.Module:
    """Pictures (N, 1, 8, 8) to logits (N, 1)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(32 * 4, 1),
    )


def main(folder: Path) -> None:
    torch.manual_seed(0)
    pictures = digits()[0][:, None] * 2 - 1
    generator, discriminator = make_generator(), make_discriminator()
    train(generator, discriminator, torch.from_numpy(pictures))
    noise = np.random.default_rng(0).standard_normal((200, NOISE), np.float32)
    save_samples(folder / "noise.npz", input=noise)
    save_samples(folder / "pictures.npz", input=pictures[:200])
    export(folder / "generator.pt2", generator, torch.from_numpy(noise[:2]))
    export(folder / "discriminator.pt2", discriminator, torch.from_numpy(pictures[:2]))
    print(convert_command(folder / "generator.pt2", folder / "noise.npz"))
    print(convert_command(folder / "discriminator.pt2", folder / "pictures.npz"))


def train(generator: nn.Module, discriminator: nn.Module, pictures: Tensor) -> None:
    loss = nn.BCEWithLogitsLoss()
    steps = [torch.optim.Adam(network.parameters(), 1e-3, (0.5, 0.9)) for network in (generator, discriminator)]
    for step in range(200):
        real = pictures[32 * (step % 20) :][:32]
        drawn = generator(torch.randn(len(real), NOISE))
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        told = loss(discriminator(real), ones) + loss(discriminator(drawn.detach()), zeros)
        steps[1].zero_grad()
        told.backward()
        steps[1].step()
        fooled = loss(discriminator(drawn), ones)
        steps[0].zero_grad()
        fooled.backward()
        steps[0].step()


def export(path: Path, network: nn.Module, example: Tensor) -> None:
    program = torch.export.export(network.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
