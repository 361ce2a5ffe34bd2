"""A smaller copy of a PyTorch module: its parameters cut, the sizes that its layers keep set to match."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.training.provenance import Kept

if TYPE_CHECKING:
    import torch
    from torch import nn


def sliced(model: nn.Module, kept: Mapping[str, Kept]) -> nn.Module:
    """A copy that holds the kept elements of each parameter and buffer; what is not named stays whole."""
    result = copy.deepcopy(model)
    names = {id(tensor): name for name, tensor in (*result.named_parameters(), *result.named_buffers())}
    cut: dict[int, torch.Tensor] = {}
    for path, module in result.named_modules():
        for held in (module._parameters, module._buffers):
            for own, tensor in list(held.items()):
                if tensor is not None and (name := names.get(id(tensor), "")) in kept:
                    if id(tensor) not in cut:
                        cut[id(tensor)] = _cut(tensor, kept[name])
                    _put(module, held, own, cut[id(tensor)])
        _set_sizes(module, f"{path}.".lstrip("."), kept)
    return _with_narrow_attention(result)


def _with_narrow_attention(model: nn.Module) -> nn.Module:
    """Attentions that lost heads as modules that know how wide a head is."""
    from torch import nn

    from edgekit_converters.training.torch_attention import NarrowAttention

    for path, module in list(model.named_modules()):
        if isinstance(module, nn.MultiheadAttention) and module.out_proj.weight.shape[1] != module.embed_dim:
            narrow = NarrowAttention(module, module.head_dim)
            if not path:
                return narrow
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, narrow)
    return model


def _put(module: nn.Module, held: dict[str, Any], own: str, tensor: torch.Tensor) -> None:
    if held is module._parameters:
        setattr(module, own, tensor)  # recurrent layers keep a list of their own, which this renews
    else:
        held[own] = tensor


def _cut(tensor: torch.Tensor, kept: Kept) -> torch.Tensor:
    import torch
    from torch import nn

    part = tensor.detach()
    for axis, indices in enumerate(kept):
        if len(indices) != part.shape[axis]:
            part = part.index_select(axis, torch.from_numpy(indices).to(part.device))
    part = part.clone()
    return nn.Parameter(part, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else part


def _set_sizes(module: nn.Module, prefix: str, kept: Mapping[str, Kept]) -> None:
    """The sizes that a layer keeps as attributes, from the shapes that its parameters have now."""
    from torch import nn

    kinds: tuple[tuple[Any, Callable[[Any], None]], ...] = (
        (nn.Linear, _linear),
        (nn.modules.conv._ConvNd, lambda layer: _convolution(layer, kept.get(f"{prefix}weight"))),
        (nn.GroupNorm, lambda layer: _group_norm(layer, kept.get(f"{prefix}weight"))),
        (nn.modules.batchnorm._NormBase, _norm),
        ((nn.LayerNorm, nn.RMSNorm), _layer_norm),
        (nn.RNNBase, _recurrent),
        (nn.RNNCellBase, _cell),
        (nn.Embedding, _embedding),
        (nn.PReLU, lambda layer: setattr(layer, "num_parameters", len(layer.weight))),
    )
    for kind, set_sizes in kinds:
        if isinstance(module, kind):
            set_sizes(module)


def _linear(layer: nn.Linear) -> None:
    layer.out_features, layer.in_features = layer.weight.shape


def _convolution(layer: Any, kept: Kept | None) -> None:
    transposed = int(layer.transposed)
    before = layer.in_channels if transposed else layer.out_channels
    if kept is not None:
        layer.groups = _groups_left(kept[0], before, layer.groups)
    outer, inner = layer.weight.shape[0], layer.weight.shape[1] * layer.groups
    layer.in_channels, layer.out_channels = (outer, inner) if transposed else (inner, outer)


def _groups_left(kept: NDArray[np.int64], channels: int, groups: int) -> int:
    return len(np.unique(kept // (channels // groups)))


def _group_norm(layer: Any, kept: Kept | None) -> None:
    if kept is not None:
        layer.num_groups = _groups_left(kept[0], layer.num_channels, layer.num_groups)
        layer.num_channels = len(layer.weight)


def _norm(layer: Any) -> None:
    tensor = layer.weight if layer.weight is not None else layer.running_mean
    if tensor is not None:
        layer.num_features = len(tensor)


def _layer_norm(layer: Any) -> None:
    if layer.weight is not None:
        layer.normalized_shape = tuple(layer.weight.shape)


def _recurrent(layer: Any) -> None:
    layer.input_size, layer.hidden_size = layer.weight_ih_l0.shape[1], layer.weight_hh_l0.shape[1]


def _cell(layer: Any) -> None:
    layer.input_size, layer.hidden_size = layer.weight_ih.shape[1], layer.weight_hh.shape[1]


def _embedding(layer: Any) -> None:
    layer.num_embeddings, layer.embedding_dim = layer.weight.shape
