"""`NarrowAttention`: PyTorch's multi-head attention with fewer heads than its width has room for."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import nn
from torch.nn import functional

from edgekit.errors import ConversionError


@final
class NarrowAttention(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Called as `nn.MultiheadAttention` is, with the same parameters by the same names; heads keep their width.

    Made of one whose weights were cut, ``head_width`` being that of the whole: ``in_proj_weight`` (3 x heads x head_width,
    inputs) and ``out_proj.weight`` (outputs, heads x head_width). Masks for each head apart have to be of as many heads.
    """

    def __init__(self, cut: nn.MultiheadAttention, head_width: int) -> None:
        super().__init__()
        if cut.bias_k is not None or cut.add_zero_attn:
            raise ConversionError("an attention with bias_k or add_zero_attn can't lose heads")
        self.embed_dim, self.kdim, self.vdim = cut.embed_dim, cut.kdim, cut.vdim
        self.dropout, self.batch_first, self.head_dim = cut.dropout, cut.batch_first, head_width
        self.num_heads = cut.out_proj.weight.shape[1] // head_width
        self._qkv_same_embed_dim = False  # keeps Transformer layers from their fast path, which computes widths itself
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias"):
            self.register_parameter(name, getattr(cut, name))
        self.out_proj = cut.out_proj
        self.training = cut.training

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As `nn.MultiheadAttention.forward`. Raises ValueError for ``is_causal``, a hint, without the mask that it speaks of."""
        if is_causal and attn_mask is None:
            raise ValueError("is_causal is a hint about attn_mask, and there is none; give attn_mask")
        single = query.dim() == 2
        turned = not single and not self.batch_first
        tensors = [
            one.unsqueeze(0) if single else one.transpose(0, 1) if turned else one for one in (query, key, value)
        ]
        q, k, v = (self._heads(part, index) for index, part in enumerate(tensors))
        if single and key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
        mask = _mask(attn_mask, key_padding_mask, q)
        mixed, weights = self._mixed(q, k, v, mask, need_weights)
        found = self.out_proj(mixed.transpose(1, 2).flatten(2))
        if weights is not None:
            weights = weights.mean(1) if average_attn_weights else weights
            weights = weights[0] if single else weights
        return found[0] if single else found.transpose(0, 1) if turned else found, weights

    def _heads(self, x: torch.Tensor, index: int) -> torch.Tensor:
        """(batch, heads, tokens, width) of queries, keys or values."""
        if self.in_proj_weight is not None:
            weight = self.in_proj_weight.chunk(3)[index]
        else:
            weight = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[index]
        bias = None if self.in_proj_bias is None else self.in_proj_bias.chunk(3)[index]
        return functional.linear(x, weight, bias).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def _mixed(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, need_weights: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        dropout = self.dropout if self.training else 0.0
        if not need_weights:
            return functional.scaled_dot_product_attention(q, k, v, mask, dropout), None
        scores = (q * self.head_dim**-0.5) @ k.transpose(-1, -2)
        weights = torch.softmax(scores if mask is None else scores + mask, -1)
        weights = functional.dropout(weights, dropout)
        return weights @ v, weights


def _mask(mask: Any, padding: Any, like: torch.Tensor) -> torch.Tensor | None:
    """Both masks as one of numbers to be added, that broadcasts to (batch, heads, tokens, tokens)."""
    found = None
    if mask is not None:
        found = _added(mask, like)
        found = found.unflatten(0, (len(like), like.shape[1])) if found.dim() == 3 else found
    if padding is not None:
        hidden = _added(padding, like)[:, None, None]
        found = hidden if found is None else found + hidden
    return found


def _added(mask: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, float("-inf"))
