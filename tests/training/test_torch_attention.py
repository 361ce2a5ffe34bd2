"""`NarrowAttention` answers as PyTorch's attention: with all heads, and without those whose outputs nothing reads."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")
narrow = pytest.importorskip("edgekit_converters.training.torch_attention")
pytestmark = pytest.mark.pytorch

HEADS, WIDTH = 4, 8
MASKS = {
    "none": {},
    "causal": {"attn_mask": torch.nn.Transformer.generate_square_subsequent_mask(5)},
    "of every head": {"attn_mask": torch.rand(3 * HEADS, 5, 5, generator=torch.Generator().manual_seed(3)) < 0.3},
    "padding": {"key_padding_mask": torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False, True] * 2 + [False]])},
}


def attention(**options):
    torch.manual_seed(0)
    made = torch.nn.MultiheadAttention(WIDTH * HEADS, HEADS, **options).eval()
    for bias in (made.in_proj_bias, made.out_proj.bias):
        torch.nn.init.normal_(bias)
    return made


def inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("need_weights", [True, False])
def test_with_all_heads_it_is_the_same_function(mask, need_weights):
    whole = attention(batch_first=True)
    x = inputs(3, 5, WIDTH * HEADS)
    masks = {name: tensor.clone() for name, tensor in MASKS[mask].items()}
    for tensor in masks.values():
        if tensor.dtype == torch.bool and tensor.dim() == 3:
            tensor[..., 0] = False  # no token without any other to look at
    wanted, weights = whole(x, x, x, need_weights=need_weights, **masks)
    found, others = narrow.NarrowAttention(copy.deepcopy(whole), WIDTH)(x, x, x, need_weights=need_weights, **masks)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(others, weights)


@pytest.mark.parametrize("shape", [(5, WIDTH * HEADS), (5, 3, WIDTH * HEADS)])
def test_samples_alone_and_tokens_first_are_taken(shape):
    whole, x = attention(), inputs(*shape)
    found = narrow.NarrowAttention(copy.deepcopy(whole), WIDTH)(x, x, x)
    torch.testing.assert_close(found, whole(x, x, x))


def test_without_a_head_it_answers_as_when_that_head_is_not_read():
    whole = attention(batch_first=True)
    whole.out_proj.weight.data[:, -WIDTH:] = 0
    x = inputs(3, 5, WIDTH * HEADS)
    wanted = whole(x, x, x, need_weights=False)[0]
    left = torch.arange(WIDTH * (HEADS - 1))
    rows = torch.cat([left + part * WIDTH * HEADS for part in range(3)])
    whole.in_proj_weight = torch.nn.Parameter(whole.in_proj_weight[rows])
    whole.in_proj_bias = torch.nn.Parameter(whole.in_proj_bias[rows])
    whole.out_proj.weight = torch.nn.Parameter(whole.out_proj.weight[:, left])
    smaller = narrow.NarrowAttention(whole, WIDTH)
    assert smaller.num_heads == HEADS - 1
    torch.testing.assert_close(smaller(x, x, x, need_weights=False)[0], wanted)


def test_a_causal_hint_without_a_mask_is_refused_as_pytorch_refuses_it():
    whole, x = attention(), inputs(5, 3, WIDTH * HEADS)
    with pytest.raises(RuntimeError, match="attn_mask"):
        whole(x, x, x, is_causal=True)
    with pytest.raises(ValueError, match="give attn_mask"):
        narrow.NarrowAttention(copy.deepcopy(whole), WIDTH)(x, x, x, is_causal=True)
