"""The networks of `architectures` in PyTorch. Channels come first; torch is imported where a network is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from architecture_data import CHARACTERS, LETTERS, NOISE, TOKENS, VOCABULARY
from numpy.typing import NDArray

INPUT = "x"
"""Name of every network's input: that of the parameter of ``forward``."""


def build(name: str, width: int) -> Any:
    """A module of fresh weights; ``width`` numbers a sample where samples are vectors."""
    return NETWORKS[name](width)


def apply(network: Any, x: Any, training: bool) -> Any:
    return network.train(training)(x)


def arranged(x: NDArray[Any]) -> NDArray[Any]:
    """Samples as PyTorch wants them: pictures with their channels first."""
    return np.ascontiguousarray(np.moveaxis(x, 3, 1)) if x.ndim == 4 else x


def save(network: Any, x: NDArray[Any], folder: Path, name: str) -> Path:
    """As an exported program with a free batch."""
    import torch

    path = folder / f"{name}.pt2"
    sizes = ({0: torch.export.Dim("batch", min=1, max=1024)},)
    program = torch.export.export(network.eval(), (torch.from_numpy(x[:3].copy()),), dynamic_shapes=sizes)
    torch.export.save(program, path)
    return path


def _feed_forward(width: int) -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))


def _convolutional(width: int) -> Any:
    from torch import nn

    layers: list[Any] = []
    for channels, filters in ((3, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if filters != channels else []
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def _recurrent(kind: str, units: int, layers: int, directions: int) -> Callable[[int], Any]:
    def make(width: int) -> Any:
        from torch import nn

        class Recurrent(nn.Module):  # type: ignore[misc]  # torch is untyped here
            def __init__(self) -> None:
                super().__init__()
                layer = getattr(nn, kind)
                self.layer = layer(width, units, layers, batch_first=True, bidirectional=directions == 2)
                self.head = nn.Linear(units * directions, 10)

            def forward(self, x: Any) -> Any:
                outputs, _ = self.layer(x)
                ends = [outputs[:, -1, :units], outputs[:, 0, units:]] if directions == 2 else [outputs[:, -1]]
                return self.head(ends[0] if len(ends) == 1 else _joined(ends))

        return Recurrent()

    return make


def _joined(parts: Any) -> Any:
    import torch

    return torch.cat(parts, dim=-1)


def _generator(width: int) -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Linear(NOISE, 128),
        nn.ReLU(),
        nn.Unflatten(1, (32, 2, 2)),
        nn.ConvTranspose2d(32, 16, 4, 2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, 2, padding=1),
        nn.Sigmoid(),
    )


def _discriminator(width: int) -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 3, 2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(256, 1),
    )


def _transformer(causal: bool) -> Callable[[int], Any]:
    tokens, length, classes = (len(LETTERS) + 1, CHARACTERS, len(LETTERS) + 1) if causal else (VOCABULARY, TOKENS, 2)

    def make(width: int) -> Any:
        import torch
        from torch import nn

        class Transformer(nn.Module):  # type: ignore[misc]  # torch is untyped here
            def __init__(self) -> None:
                super().__init__()
                self.words = nn.Embedding(tokens, 64)
                self.places = nn.Parameter(0.02 * torch.randn(length, 64))
                block = nn.TransformerEncoderLayer(64, 4, 128, 0.0, "gelu", batch_first=True)
                self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
                self.head = nn.Linear(64, classes)
                self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length), persistent=False)

            def forward(self, x: Any) -> Any:
                embedded = self.words(x) + self.places
                if causal:
                    return self.head(self.blocks(embedded, mask=self.mask, is_causal=True))
                real = (x != 0).unsqueeze(-1).to(embedded.dtype)
                seen = self.blocks(embedded, src_key_padding_mask=x == 0)
                return self.head((seen * real).sum(1) / real.sum(1))

        return Transformer()

    return make


def _autoencoder(width: int) -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 8, 3, 2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 16, 4, 2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, 2, padding=1),
        nn.Sigmoid(),
    )


def _variational(width: int) -> Any:
    from torch import nn

    class Variational(nn.Module):  # type: ignore[misc]  # torch is untyped here
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU())
            self.mean, self.log_variance = nn.Linear(64, 8), nn.Linear(64, 8)
            self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.Sigmoid())

        def encode(self, x: Any) -> tuple[Any, Any]:
            hidden = self.body(x)
            return self.mean(hidden), self.log_variance(hidden)

        def decode(self, z: Any) -> Any:
            return self.decoder(z).reshape(-1, 1, 8, 8)

        def forward(self, x: Any) -> tuple[Any, Any, Any]:
            mean, log_variance = self.encode(x)
            return self.decode(mean), mean, log_variance

    return Variational()


NETWORKS: Mapping[str, Callable[[int], Any]] = {
    "feed-forward": _feed_forward,
    "cnn": _convolutional,
    "rnn": _recurrent("RNN", 48, 1, 1),
    "lstm": _recurrent("LSTM", 48, 1, 1),
    "gru": _recurrent("GRU", 48, 1, 1),
    "rnn-stacked": _recurrent("RNN", 32, 2, 2),
    "lstm-stacked": _recurrent("LSTM", 32, 2, 2),
    "gru-stacked": _recurrent("GRU", 32, 2, 2),
    "generator": _generator,
    "discriminator": _discriminator,
    "encoder": _transformer(causal=False),
    "decoder": _transformer(causal=True),
    "autoencoder": _autoencoder,
    "vae": _variational,
}
