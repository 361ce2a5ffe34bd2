"""Train a network on spectrograms of spoken digits that are shifted by up to four bands and lie in noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 64


def fit(network: Any, x: NDArray[np.float32], y: NDArray[np.int64], optimizer: Any, rate: float, updates: int) -> None:
    """``updates`` batches of 64; the learning rate rises to ``rate`` and falls again."""
    import torch

    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=updates)
    for _ in range(updates):
        chosen = torch.randint(len(x), (BATCH,))
        shift, noise = int(torch.randint(-4, 5, (1,))), torch.randn(BATCH, *x.shape[1:])
        batch = torch.roll(inputs[chosen], shift, 1) + 0.1 * noise
        loss = torch.nn.functional.cross_entropy(network(batch), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
