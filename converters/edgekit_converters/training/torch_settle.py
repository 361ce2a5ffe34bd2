"""Statistics of a PyTorch module's batch normalizations from samples, its answers unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.training.settle import Floats, Normalization, Statistics

if TYPE_CHECKING:
    import torch
    from torch import nn

_BATCH = 32


def settle_torch(model: nn.Module, samples: Sequence[NDArray[Any]]) -> None:
    """Those with factor and offset, in place; the mode of the module stays as it is."""
    import torch
    from torch import nn

    kind = nn.modules.batchnorm._BatchNorm
    layers = [one for one in model.modules() if isinstance(one, kind) and one.affine and one.track_running_stats]
    found = {layer: Statistics() for layer in layers}

    def gather(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        found[layer].add(inputs[0].cpu().numpy(), 1)

    hooks = [layer.register_forward_pre_hook(gather) for layer in layers]
    device = next(model.parameters()).device
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        for start in range(0, len(samples[0]), _BATCH):
            model(*(torch.from_numpy(np.array(array[start : start + _BATCH])).to(device) for array in samples))
    for module, mode in modes.items():
        module.training = mode
    for hook in hooks:
        hook.remove()
    for layer, statistics in found.items():
        _enter(layer, statistics)


def _enter(layer: Any, statistics: Statistics) -> None:
    import torch

    held = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    factor, offset, mean, variance = (_array(tensor) for tensor in held)
    old = Normalization(factor, offset, mean, variance, layer.eps)
    new = old.with_statistics(statistics.mean, statistics.variance)
    with torch.no_grad():
        for tensor, array in zip(held, (new.factor, new.offset, new.mean, new.variance), strict=True):
            tensor.copy_(torch.from_numpy(array))


def _array(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)
