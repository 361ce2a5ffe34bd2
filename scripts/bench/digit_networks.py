"""The networks that the benchmarks train on spoken digits: from ``x`` (N, 61, 40) spectrograms to ``logits`` (N, 10).

torch is imported inside, so that finding files that were trained before does not need it.
"""

from __future__ import annotations

from typing import Any

STEPS, BANDS, DIGITS = 61, 40, 10
UNITS = 64
HEADS = 4
BLOCKS = 2

RECURRENT = ("lstm", "gru")
TRANSFORMERS = ("transformer", "decoder")


def digit_network(kind: str) -> Any:
    """A torch module: one layer of 64 units and a dense one, or two Transformer blocks of width 64 (one of `KINDS`)."""
    return _recurrent(kind) if kind in RECURRENT else _transformer(causal=kind == "decoder")


def _recurrent(kind: str) -> Any:
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = torch.nn.LSTM if kind == "lstm" else torch.nn.GRU
            self.recurrent = layer(BANDS, UNITS, batch_first=True)
            self.head = torch.nn.Linear(UNITS, DIGITS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.head(self.recurrent(x)[0][:, -1])
            return logits

    return Network()


def _transformer(causal: bool) -> Any:
    """Torch's own encoder blocks. An encoder reads the mean of all steps; a decoder sees no later step and reads the last."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.projection = torch.nn.Linear(BANDS, UNITS)
            self.positions = torch.nn.Parameter(0.02 * torch.randn(STEPS, UNITS))
            block = torch.nn.TransformerEncoderLayer(
                UNITS, HEADS, 4 * UNITS, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
            )
            self.blocks = torch.nn.TransformerEncoder(
                block, BLOCKS, torch.nn.LayerNorm(UNITS), enable_nested_tensor=False
            )
            self.head = torch.nn.Linear(UNITS, DIGITS)
            mask = torch.nn.Transformer.generate_square_subsequent_mask(STEPS) if causal else None
            self.register_buffer("mask", mask)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found = self.blocks(self.projection(x) + self.positions, mask=self.mask, is_causal=False)
            logits: torch.Tensor = self.head(found[:, -1] if causal else found.mean(1))
            return logits

    return Network()
