"""Small PyTorch networks; a factory for each. Imported by tests and, through ``--factory``, by the reader's child process."""

from __future__ import annotations

import torch
from torch import nn


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, left, right, scale=None):
        total = self.left(left) + self.right(right)
        total = total if scale is None else total * scale
        return {"logits": total, "probability": total.softmax(-1)}


class Flattened(nn.Module):
    """Writes the batch into a reshape."""

    def __init__(self):
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(1, 4, 3), nn.Linear(4 * 36, 3)

    def forward(self, image):
        return self.linear(self.convolution(image).reshape(image.shape[0], -1))


class Coupled(nn.Module):
    """Samples influence one another."""

    def forward(self, x):
        return x - x.mean(0, keepdim=True)


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


class Turned(nn.Module):
    def forward(self, x):
        return 2 * x.transpose(0, 1)


class Alone(nn.Module):
    def forward(self, x):
        return 2 * x.view(3)


class Clash(nn.Module):
    def forward(self, output):
        return {"output": output + 1}


class Branching(nn.Module):
    def forward(self, x):
        if bool(x.sum() > 0):
            return x + 1
        return x * 3


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.linear = nn.Embedding(11, 6), nn.Linear(6, 2)

    def forward(self, tokens):
        return self.linear(self.embedding(tokens).mean(1))


def mlp():
    return nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
        nn.BatchNorm2d(8),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )


def autoencoder():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.GELU(), nn.ConvTranspose2d(4, 1, 3, 2, 1, output_padding=1), nn.Sigmoid()
    )


def generator():
    return nn.Sequential(
        nn.Unflatten(1, (8, 1, 1)),
        nn.ConvTranspose2d(8, 6, 4, bias=False),
        nn.BatchNorm2d(6),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(6, 1, 4, 2, 1),
        nn.Tanh(),
    )


def two_inputs():
    return TwoInputs()


def flattened():
    return Flattened()


def coupled():
    return Coupled()


def noisy():
    return Noisy()


def turned():
    return Turned()


def alone():
    return Alone()


def clash():
    return Clash()


def embedded():
    return Embedded()


def no_module():
    return 3


def broken():
    raise OSError("no such checkpoint")
