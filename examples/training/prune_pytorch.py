"""A PyTorch network pruned in its own training loop: fewer channels first, then half of what is left of the weights to zero.

``python examples/training/prune_pytorch.py FOLDER`` trains a small network for seconds, writes what it became as
``digits_small.pt2`` and prints the command that converts it.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import edgekit.prune

DIGITS = Path(__file__).parent.parent / "digits"


def main(folder: Path) -> None:
    torch.manual_seed(0)
    calibrate, evaluate = (np.load(DIGITS / f"{name}.npz") for name in ("calibrate", "evaluate"))
    pictures, labels = as_tensors(evaluate)
    others, answers = as_tensors(calibrate)
    network = made()
    train(network, pictures, labels, steps=300)
    print(f"whole: {accuracy(network, others, answers):.1%} of {parameters(network)} parameters")

    # Channels: chosen and refitted on samples. What comes back is a module like any other, and learns from the whole one.
    smaller = edgekit.prune.torch_channels(network, pictures[:200], "40%").finish()
    before, after = smaller.macs
    print(
        f"{1 - after / before:.0%} of the multiply-accumulates removed: {accuracy(smaller.model, others, answers):.1%}"
    )
    teacher, loss = copy.deepcopy(network).eval(), edgekit.prune.Distillation(temperature=4, alpha=0.5)
    train(smaller.model, pictures, labels, 150, taught=lambda x, y, found: loss.torch(found, teacher(x), y))

    # Zeros: masks that follow a schedule while the same loop goes on.
    schedule = edgekit.prune.Polynomial(begin=0, end=100, every=10)
    pruner = edgekit.prune.torch(smaller.model, "50%", schedule=schedule)
    train(smaller.model, pictures, labels, steps=150, after_step=pruner.step)
    zeros = pruner.finish().share
    found = accuracy(smaller.model, others, answers)
    print(f"trained on, {zeros:.0%} zeros: {found:.1%} of {parameters(smaller.model)} parameters")
    save(smaller.model, pictures[:2], folder)


def made() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 16, 10),
    )


def train(
    network: nn.Module,
    pictures: Tensor,
    labels: Tensor,
    steps: int,
    taught: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    optimizer = torch.optim.SGD(network.parameters(), 0.02, momentum=0.9)
    network.train()
    for _ in range(steps):
        chosen = torch.randint(len(pictures), (64,))
        x, y = pictures[chosen], labels[chosen]
        found = network(x)
        error = taught(x, y, found) if taught is not None else nn.functional.cross_entropy(found, y)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        after_step()


def as_tensors(arrays: np.lib.npyio.NpzFile) -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, 8, 8) in 0..1 and their digits."""
    pictures = torch.from_numpy(arrays["x"].astype(np.float32) / 16).permute(0, 3, 1, 2)
    return pictures.contiguous(), torch.from_numpy(arrays["y"].astype(np.int64).reshape(-1))


def accuracy(network: nn.Module, pictures: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((network.eval()(pictures).argmax(1) == labels).float().mean())


def parameters(network: nn.Module) -> int:
    return sum(tensor.numel() for tensor in network.parameters())


def save(network: nn.Module, example: Tensor, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model, samples = folder / "digits_small.pt2", folder / "pytorch_pictures.npz"
    program = torch.export.export(network.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, model)
    pictures, labels = as_tensors(np.load(DIGITS / "calibrate.npz"))
    np.savez(samples, input=pictures.numpy(), y=labels.numpy())
    print(f"edgekit convert {model} -o {folder / 'pytorch_out'} --calibrate {samples}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
