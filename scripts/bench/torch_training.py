"""Training of the benchmarks' PyTorch networks, and the files they are kept in. torch is imported inside the functions, so that
finding a trained file does not need it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Loss = Callable[[Any, Any], Any]
Augment = Callable[[Any], Any]


def save(network: Any, examples: tuple[Any, ...], path: Path) -> Path:
    """The network as an exported program (``.pt2``) with a free batch."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    batch = torch.export.Dim("batch", min=1, max=1024)
    shapes = tuple({0: batch} for _ in examples)
    network = network.eval().to(
        memory_format=torch.contiguous_format
    )  # else pooling is exported as a view with strides
    torch.export.save(torch.export.export(network, examples, dynamic_shapes=shapes), path)
    return path


def train(
    network: Any, inputs: NDArray[Any], targets: NDArray[Any], loss: Loss, epochs: int, rate: float, augment: Augment
) -> None:
    """AdamW with one rise and fall of the learning rate, batches of 64; ``augment`` changes a batch of inputs."""
    import torch

    x, y, steps = torch.from_numpy(inputs), torch.from_numpy(targets), len(inputs) // 64
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps)
    network.train()
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(x))[: 64 * steps].split(64):
            error = loss(network(augment(x[chosen])), y[chosen])
            optimizer.zero_grad()
            error.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(error.detach())
        print(f"epoch {epoch + 1} of {epochs}: loss {total / steps:.4f}", flush=True)


def shifted_and_mirrored(pictures: Any) -> Any:
    """Every picture of a batch (N, C, H, W) mirrored or not, all moved by up to 3 pixels."""
    import torch

    mirrored = torch.where(torch.rand(len(pictures), 1, 1, 1) < 0.5, pictures, pictures.flip(3))
    return torch.roll(mirrored, tuple(int(step) for step in torch.randint(-3, 4, (2,))), (2, 3))


def unchanged(batch: Any) -> Any:
    return batch
