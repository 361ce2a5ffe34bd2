"""Pruning of channels in the user's process, by framework; `edgekit.prune` finds these functions in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgekit.protocols import Silent
from edgekit_converters.training.channels import Channels

if TYPE_CHECKING:
    import keras
    from torch import nn


def torch_channels(model: nn.Module, samples: Sequence[NDArray[Any]], share: float) -> Channels:
    """The channels of a module that go when ``share`` of its multiply-accumulates does."""
    from edgekit_converters.training.torch_network import TorchNetwork

    return Channels(TorchNetwork(model, samples, Silent()), samples, share, Silent())


def keras_channels(model: keras.Model, samples: Sequence[NDArray[Any]], share: float) -> Channels:
    """As `torch_channels`, of a functional or Sequential model."""
    from edgekit_converters.training.keras_network import KerasNetwork

    return Channels(KerasNetwork(model), samples, share, Silent())
