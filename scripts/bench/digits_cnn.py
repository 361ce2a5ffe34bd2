"""A convolutional network on spoken digits, for the integer-only benchmark: ``x`` (N, 61, 40) to ``logits`` (N, 10).

torch is imported inside, so that finding the trained files does not need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from digit_training import fit
from models import WORK
from spoken_digits import spoken_digits_samples

DIGITS = 10
UPDATES = 700


def digits_cnn() -> Path:
    """Three convolutions with SiLU and squeeze-excitation; trained once."""
    path = WORK / "digits_cnn.onnx"
    if not path.exists():
        spoken_digits_samples()
        training = np.load(WORK / "digits_train.npz")
        _train(_cnn(), training["x"], training["y"], path)
    return path


def _train(network: Any, x: Any, y: Any, path: Path) -> None:
    import torch

    fit(network, x, y, torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.01), 2e-3, UPDATES)
    torch.onnx.export(
        network.eval(),
        (torch.from_numpy(x[:2]),),
        str(path),
        input_names=["x"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
        external_data=False,
        dynamo=True,
    )


def _cnn() -> Any:
    """Three convolutions of stride 2 with SiLU, the last two behind a squeeze-excitation."""
    import torch

    class Block(torch.nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(inputs, outputs, 3, 2, 1)
            self.norm = torch.nn.BatchNorm2d(outputs)
            self.squeeze = torch.nn.Conv2d(outputs, outputs // 4, 1)
            self.excite = torch.nn.Conv2d(outputs // 4, outputs, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.nn.functional.silu(self.norm(self.conv(x)))
            gate = torch.nn.functional.silu(self.squeeze(x.mean((2, 3), keepdim=True)))
            return x * torch.sigmoid(self.excite(gate))

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = torch.nn.Sequential(Block(1, 16), Block(16, 32), Block(32, 64))
            self.head = torch.nn.Linear(64, DIGITS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.head(self.blocks(x[:, None]).mean((2, 3)))
            return logits

    torch.manual_seed(0)
    return Network()
