"""PyTorch networks of several architectures whose channels, units and heads are removed in tests."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn

KINDS = (
    *(
        "dense",
        "residual",
        "concatenation",
        "depthwise",
        "gated",
        "flattened",
        "autoencoder",
        "lstm",
        "gru",
        "attention",
    ),
    *("stacked lstm", "stacked gru", "heads", "encoder"),
    *("rnn", "stacked rnn", "rnn cell", "lstm cell", "gru cell", "shared heads", "repeated heads", "grouped"),
)
_TOKENS, _STEPS = (5, 16), (7, 6)
_SHAPES: dict[str, tuple[int, ...]] = {
    "dense": (6,),
    **dict.fromkeys(("attention", "heads", "encoder", "shared heads", "repeated heads"), _TOKENS),
    **dict.fromkeys(("lstm", "gru", "stacked lstm", "stacked gru", "rnn", "stacked rnn"), _STEPS),
    **dict.fromkeys(("rnn cell", "lstm cell", "gru cell"), (4, 6)),
}


def make(kind: str) -> tuple[Any, tuple[int, ...]]:
    """An untrained network with batch statistics that are no trivial ones, and the shape of a sample."""
    torch.manual_seed(0)
    network = nn.Sequential(*_layers(kind))
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_()
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.eval(), _SHAPES.get(kind, (3, 8, 8))


def _layers(kind: str) -> tuple[Any, ...]:
    convolution, norm, relu = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
    ends = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    layers: dict[str, tuple[Any, ...]] = {
        "dense": (nn.Linear(6, 12), nn.BatchNorm1d(12), relu, nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3)),
        "residual": (convolution, norm, relu, Residual(), Residual(), *ends, nn.Linear(8, 5)),
        "concatenation": (convolution, relu, Joined(), nn.BatchNorm2d(16), *ends, nn.Linear(16, 5)),
        "depthwise": (convolution, nn.Conv2d(8, 8, 3, groups=8, bias=False), norm, nn.PReLU(8), nn.Conv2d(8, 4, 1)),
        "flattened": (convolution, norm, relu, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 16, 5)),
        "autoencoder": (convolution, norm, relu, nn.ConvTranspose2d(8, 6, 4, 2, 1), relu, nn.Conv2d(6, 3, 1)),
        "lstm": (Recurrent(nn.LSTM(6, 12, batch_first=True)),),
        "gru": (Recurrent(nn.GRU(6, 12, batch_first=True)),),
        "stacked lstm": (Recurrent(nn.LSTM(6, 6, 2, batch_first=True, bidirectional=True)),),
        "stacked gru": (Recurrent(nn.GRU(6, 12, 3, batch_first=True)),),
        "rnn": (Recurrent(nn.RNN(6, 12, batch_first=True, nonlinearity="relu")),),
        "stacked rnn": (Recurrent(nn.RNN(6, 6, 2, batch_first=True, bidirectional=True)),),
        "rnn cell": (Steps(nn.RNNCell(6, 12)),),
        "lstm cell": (Steps(nn.LSTMCell(6, 12)),),
        "gru cell": (Steps(nn.GRUCell(6, 12)),),
        "shared heads": (SharedHeads("enable_gqa"), nn.Flatten(), nn.Linear(16 * 5, 3)),
        "repeated heads": (SharedHeads("repeat_interleave"), nn.Flatten(), nn.Linear(16 * 5, 3)),
        "grouped": (convolution, norm, relu, nn.Conv2d(8, 12, 3, groups=2), nn.ReLU(), *ends, nn.Linear(12, 3)),
        "gated": (convolution, nn.Conv2d(8, 24, 1), nn.GLU(1), nn.Conv2d(12, 4, 1)),
        "heads": (Heads(), nn.Flatten(), nn.Linear(16 * 5, 3)),
        "encoder": (nn.TransformerEncoderLayer(16, 4, 24, 0.0, batch_first=True), nn.Flatten(), nn.Linear(16 * 5, 3)),
        "attention": (Attention(), nn.Flatten(), nn.Linear(16 * 5, 3)),
    }
    return layers[kind]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.narrow, self.widen = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)

    def forward(self, x: Any) -> Any:
        made = torch.nn.functional.silu(self.norm(self.a(x)))
        gate = torch.sigmoid(self.widen(torch.relu(self.narrow(made.mean((2, 3), keepdim=True)))))
        return x + made * gate


class Joined(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv2d(8, 6, 1), nn.Conv2d(8, 10, 3, padding=1)

    def forward(self, x: Any) -> Any:
        return torch.relu(torch.cat([self.one(x), self.three(x)], 1))


class Recurrent(nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(12, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.layer(x)[0][:, -1])


class Steps(nn.Module):
    """A cell that is called at every step, from no state."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell, self.head = cell, nn.Linear(12, 5)

    def forward(self, x: Any) -> Any:
        state = None
        for step in range(4):
            state = self.cell(x[:, step], state)
        return self.head(state[0] if isinstance(state, tuple) else state)


class SharedHeads(nn.Module):
    """Four heads of queries, two of keys and values: each of these serves two of the queries."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.query, self.key, self.value, self.out = (nn.Linear(16, size) for size in (16, 8, 8, 16))

    def forward(self, x: Any) -> Any:
        query, key, value = (
            part(x).view(x.shape[0], x.shape[1], -1, 4).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        if self.how == "enable_gqa":
            mixed = nn.functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)
        else:
            times = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
            mixed = torch.softmax(query @ key.transpose(-1, -2) / 2, -1) @ value
        return x + self.out(mixed.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 24), nn.Linear(24, 16)

    def forward(self, x: Any) -> Any:
        q, k, v = self.qkv(x).reshape(x.shape[0], x.shape[1], 3, -1, 4).permute(2, 0, 3, 1, 4)
        mixed = torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1))
        return x + self.down(torch.nn.functional.gelu(self.up(self.norm(x))))


class Heads(nn.Module):
    """PyTorch's own attention, asked for its weights too, and a second one of queries that are wider than keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.MultiheadAttention(16, 4, batch_first=True)
        self.narrow = nn.Linear(16, 8)
        self.cross = nn.MultiheadAttention(16, 2, batch_first=True, kdim=8, vdim=8)

    def forward(self, x: Any) -> Any:
        x = x + self.own(x, x, x)[0]
        other = self.narrow(x)
        return x + self.cross(x, other, other, need_weights=False)[0]
