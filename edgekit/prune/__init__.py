"""Pruning in the user's own training loop, in PyTorch and Keras 3: masks with a schedule, smaller networks, a teacher's loss.

    pruner = edgekit.prune.torch(model, "50%", schedule=edgekit.prune.Polynomial(begin=100, end=2000))
    for x, y in batches:
        ...
        optimizer.step()
        pruner.step()
    pruner.finish()

Importing this package imports no framework. docs/pruning_training.md is its manual.
"""

from __future__ import annotations

from edgekit.prune.channels import ChannelPruner, Smaller, keras_channels, torch_channels
from edgekit.prune.distillation import Distillation
from edgekit.prune.keras_masks import keras, keras_callback
from edgekit.prune.pruner import MaskPruner, Stepper
from edgekit.prune.schedule import Constant, OneShot, Polynomial, Schedule
from edgekit.prune.torch_masks import torch

__all__ = [
    "ChannelPruner",
    "Constant",
    "Distillation",
    "MaskPruner",
    "OneShot",
    "Polynomial",
    "Schedule",
    "Smaller",
    "Stepper",
    "keras",
    "keras_callback",
    "keras_channels",
    "torch",
    "torch_channels",
]
