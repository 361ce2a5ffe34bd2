#!/usr/bin/env python
"""Train a DCGAN on handwritten digits, once: a generator of transposed convolutions and a discriminator of strided ones.

Usage: dcgan.py. Writes dcgan_generator.pt2, dcgan_discriminator.pt2 and samples to out/bench (or EDGEKIT_BENCH).
Architecture after A. Radford et al., "Unsupervised Representation Learning with Deep Convolutional GANs", 2016.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from digit_pictures import digit_pictures
from models import WORK
from sample_files import Arrays, sample_files
from torch_training import save

NOISE = 64
EPOCHS = 30
BATCH = 64


def main() -> None:
    print(generator(), discriminator())


def generator() -> Path:
    """``noise`` (N, 64) to pictures (N, 1, 28, 28) in -1..1."""
    return _trained()[0]


def discriminator() -> Path:
    """Pictures (N, 1, 28, 28) in -1..1 to one logit: real or made."""
    return _trained()[1]


def noise_samples() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz: 200 and 500 normal vectors ``x``."""
    return sample_files("dcgan_noise", lambda: _parts(np.random.default_rng(1).standard_normal((700, NOISE))))


def picture_samples() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz: 200 and 500 digits ``x`` in -1..1."""
    return sample_files("dcgan_pictures", lambda: _parts(2 * digit_pictures()[:700] - 1))


def _parts(x: Any) -> tuple[Arrays, Arrays]:
    return {"x": x[:200].astype(np.float32)}, {"x": x[200:].astype(np.float32)}


def _trained() -> tuple[Path, Path]:
    paths = WORK / "dcgan_generator.pt2", WORK / "dcgan_discriminator.pt2"
    if not all(path.exists() for path in paths):
        import torch

        torch.manual_seed(0)
        maker, judge = _generator(), _discriminator()
        _train(maker, judge, torch.from_numpy(2 * digit_pictures() - 1))
        save(maker, (torch.zeros(2, NOISE),), paths[0])
        save(judge, (torch.zeros(2, 1, 28, 28),), paths[1])
    return paths


def _generator() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Linear(NOISE, 128 * 7 * 7, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 1, 3, 1, 1),
        nn.Tanh(),
    )


def _discriminator() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 1),
    )


def _train(maker: Any, judge: Any, pictures: Any) -> None:
    import torch

    makes = torch.optim.Adam(maker.parameters(), 4e-4, betas=(0.5, 0.999))
    judges = torch.optim.Adam(judge.parameters(), 2e-4, betas=(0.5, 0.999))
    differs = torch.nn.functional.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    for epoch in range(EPOCHS):
        for chosen in torch.randperm(len(pictures))[: len(pictures) // BATCH * BATCH].split(BATCH):
            made = maker(torch.randn(BATCH, NOISE))
            verdict = differs(judge(pictures[chosen]), 0.9 * ones) + differs(judge(made.detach()), zeros)
            _step(judges, verdict)
            fooled = differs(judge(made), ones)
            _step(makes, fooled)
        print(f"epoch {epoch + 1} of {EPOCHS}: {float(verdict.detach()):.3f} {float(fooled.detach()):.3f}", flush=True)


def _step(optimizer: Any, loss: Any) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


if __name__ == "__main__":
    main()
