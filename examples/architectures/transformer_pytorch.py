"""A Transformer encoder whose tokens are the rows of a digit: train with PyTorch, export, convert.

``python examples/architectures/transformer_pytorch.py FOLDER`` writes the model and prints the command that converts it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from digit_samples import convert_command, digits, save_samples
from torch import Tensor, nn


class Encoder(nn.Module):
    """Rows (N, 8, 8) to logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 32)
        self.places = nn.Parameter(torch.zeros(8, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = self.head(self.layers(self.embed(rows) + self.places).mean(1))
        return found


def main(folder: Path) -> None:
    torch.manual_seed(0)
    pictures, labels = digits()
    rows, wanted = torch.from_numpy(pictures), torch.from_numpy(labels)
    network = Encoder()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(150):
        part = slice(200 + 32 * (step % 15), 232 + 32 * (step % 15))
        loss = nn.functional.cross_entropy(network(rows[part]), wanted[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_samples(folder / "rows.npz", rows=pictures[:200], y=labels[:200])
    batch = torch.export.Dim("batch")
    program = torch.export.export(network.eval(), (rows[:2],), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "encoder.pt2")
    print(convert_command(folder / "encoder.pt2", folder / "rows.npz"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
