"""The parameters of a PyTorch module: what they are to each other, reading and writing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.training.parameters import Mark, Parameter, Values, batch_norm_parameters

if TYPE_CHECKING:
    import torch
    from torch import nn


_BATCH_NORM = {
    "weight": Mark.FACTOR,
    "bias": Mark.OFFSET,
    "running_mean": Mark.NOTHING,
    "running_var": Mark.VARIANCE,
}


def torch_parameters(model: nn.Module) -> list[Parameter]:
    """All parameters and buffers of floats, each once."""
    found: list[Parameter] = []
    seen: set[int] = set()
    for path, module in model.named_modules():
        own = {
            name: tensor
            for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
            if tensor.is_floating_point() and tensor.dim() and id(tensor) not in seen
        }
        seen |= {id(tensor) for tensor in own.values()}
        found += _of_module(f"{path}.".lstrip("."), module, own)
    return found


def _of_module(prefix: str, module: nn.Module, own: Mapping[str, torch.Tensor]) -> Iterator[Parameter]:
    from torch import nn

    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        held = {_BATCH_NORM[name]: (prefix + name, tuple(tensor.shape)) for name, tensor in own.items()}
        yield from batch_norm_parameters(held, float(module.eps))
        return
    # PyTorch keeps one size for all layers of a recurrent module.
    tied = prefix or "." if isinstance(module, nn.RNNBase) and module.num_layers > 1 else ""
    for name, tensor in own.items():
        follows = None
        if name == "bias" and "weight" in own:
            outputs = 1 if isinstance(module, nn.modules.conv._ConvTransposeNd) else 0
            follows = (f"{prefix}weight", outputs)
        yield Parameter(prefix + name, tuple(tensor.shape), follows=follows, tied=tied)


def torch_values(model: nn.Module) -> dict[str, NDArray[Any]]:
    """What the parameters hold, by name."""
    tensors = dict((*model.named_parameters(), *model.named_buffers()))
    return {one.name: tensors[one.name].detach().cpu().numpy().copy() for one in torch_parameters(model)}


def set_torch_values(model: nn.Module, values: Values) -> None:
    """Give parameters of the same shape new contents, in place."""
    import torch

    tensors = dict((*model.named_parameters(), *model.named_buffers()))
    with torch.no_grad():
        for name, array in values.items():
            tensors[name].copy_(torch.from_numpy(np.ascontiguousarray(array)))
