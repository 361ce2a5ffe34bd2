"""Attention layers."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgekit_converters.sources.keras.attention import (
    Heads,
    Sizes,
    attend,
    for_heads,
    joint_mask,
    of_keys,
    of_queries,
    weighed,
)
from edgekit_converters.sources.keras.call import LayerCall, Operand, tensors_of
from edgekit_converters.sources.keras.settings import Settings
from edgekit_converters.sources.keras.table import reads
from edgekit_converters.sources.keras.value import Value

_PARTS = ("query_dense", "key_dense", "gate_dense", "value_dense", "output_dense")


def _projections(settings: Settings) -> tuple[str, ...]:
    own = ("kernel", "bias") if settings.flag("use_bias", True) else ("kernel",)
    parts = [part for part in _PARTS if part != "gate_dense" or settings.flag("use_gate", False)]
    return tuple(f"{part}/{role}" for part in parts for role in own)


def _query_mask(call: LayerCall) -> tuple[Value | None, ...]:
    return (_argument(call, 0, "query").mask,)


@reads("MultiHeadAttention", weights=_projections, masks=_query_mask)
def multi_head_attention(call: LayerCall) -> list[Value]:
    size = call.settings.integer("key_dim")
    return _heads_attended(call, size)


@reads("GroupedQueryAttention", weights=_projections, masks=_query_mask)
def grouped_query_attention(call: LayerCall) -> list[Value]:
    """The keys and values of one head serve several heads of the query."""
    return _heads_attended(call, call.settings.integer("head_dim"))


def _heads_attended(call: LayerCall, size: int) -> list[Value]:
    query, value = _argument(call, 0, "query"), _argument(call, 1, "value")
    key = _optional(call, 2, "key") or value
    if query.rank != 3 or value.rank != 3 or key.rank != 3:
        raise call.unsupported(f"attends over tensors of {query.rank} axes; readable are (batch, steps, features)")
    heads = Heads(
        _projected(call, query, "query_dense", 1 / math.sqrt(size)),
        _projected(call, key, "key_dense"),
        _projected(call, value, "value_dense"),
    )
    wants_scores = _flag(call, "return_attention_scores")
    zero_hidden = call.provenance.major >= 3 and (wants_scores or call.settings.number("dropout", 0.0) > 0)
    mask = for_heads(call, _mask(call, query, value))
    context, weights = attend(call, heads, mask, zero_hidden=zero_hidden)
    if call.settings.flag("use_gate", False):
        gate = call.unary("Sigmoid", _projected(call, query, "gate_dense"), "gate")
        context = call.binary("Mul", context, gate, "gated")
    return [_output(call, context), *([weights] if wants_scores else [])]


def _mask(call: LayerCall, query: Value, value: Value) -> Value | None:
    """What Keras's masks of query, value and key, the mask given, and the places allow."""
    key = _optional(call, 2, "key")
    given = call.keywords.get("attention_mask")
    masks = [
        of_queries(call, query.mask),
        of_keys(call, _of_keyword(call, "value_mask") or value.mask),
        of_keys(call, _of_keyword(call, "key_mask") or (key.mask if key is not None else None)),
        _as_bool(call, given) if isinstance(given, Value) else None,
    ]
    window = call.settings.integer("sliding_window") if call.settings.get("sliding_window") is not None else None
    sizes = (query.shape[1], value.shape[1])
    return joint_mask(call, masks, causal=_flag(call, "use_causal_mask"), window=window, sizes=sizes)


def _projected(call: LayerCall, x: Value, part: str, scale: float = 1.0) -> Value:
    """(N, steps, heads, size): a product with the kernel (features, heads, size), scaled with it."""
    kernel = call.weight(f"{part}/kernel", 3) * np.float32(scale)
    features, heads, size = kernel.shape
    name = part.removesuffix("_dense")
    made = call.node("MatMul", x.plain, call.constant(kernel.reshape(features, -1), f"{name}/kernel"), part=name)
    if f"{part}/bias" in call.weights:
        bias = call.weight(f"{part}/bias", 2).reshape(-1) * np.float32(scale)
        made = call.node("Add", made, call.constant(bias, f"{name}/bias"), part=f"{name}/bias_add")
    return call.value(_reshaped(call, made, (0, 0, heads, size), f"{name}/heads"))


def _output(call: LayerCall, context: Value) -> Value:
    """The context of all heads behind the output's kernel (heads, size, features...)."""
    kernel = call.weight("output_dense/kernel")
    rows = kernel.shape[0] * kernel.shape[1]
    joined = _reshaped(call, context.plain, (0, 0, rows), "joined")
    made = call.node("MatMul", joined, call.constant(kernel.reshape(rows, -1), "output/kernel"), part="output")
    if "output_dense/bias" in call.weights:
        bias = call.constant(call.weight("output_dense/bias").reshape(-1), "output/bias")
        made = call.node("Add", made, bias, part="output/bias_add")
    if kernel.ndim > 3:
        made = _reshaped(call, made, (0, 0, *kernel.shape[2:]), "output/shape")
    return call.value(made)


def _reshaped(call: LayerCall, tensor: ir.Value, sizes: tuple[int, ...], part: str) -> ir.Value:
    return call.node("Reshape", tensor, call.constant(np.array(sizes, np.int64), f"{part}_sizes"), part=part)


def _attention_weights(settings: Settings) -> tuple[str, ...]:
    scale = ("scale",) if settings.flag("use_scale", False) else ()
    return (*scale, "concat_score_weight") if settings.text("score_mode", "dot") == "concat" else scale


def _additive_weights(settings: Settings) -> tuple[str, ...]:
    return ("scale",) if settings.flag("use_scale", True) else ()


def _first_mask(call: LayerCall) -> tuple[Value | None, ...]:
    return (_masks_of(call)[0],)


@reads("Attention", weights=_attention_weights, masks=_first_mask)
def attention(call: LayerCall) -> list[Value]:
    """Scores are products of query and key, or of tanh(query + key) where ``score_mode`` is "concat"."""
    query, value, *rest = tensors_of(call.arguments)
    key = rest[0] if rest else value
    scale = call.weights.get("scale")
    if call.settings.text("score_mode", "dot") == "concat":
        bent = _bent(call, query, key, scale)
        scores = call.binary("Mul", _summed(call, bent), call.weight("concat_score_weight"), "weighed")
    else:
        scores = call.value(call.node("MatMul", query.plain, key.variant((0, 2, 1)), part="scores"))
        scores = scores if scale is None else call.binary("Mul", scores, scale, "scaled")
    return _attended(call, scores, query, value)


@reads("AdditiveAttention", weights=_additive_weights, masks=_first_mask)
def additive_attention(call: LayerCall) -> list[Value]:
    """Scores are tanh(query + key), weighed by feature and added up."""
    query, value, *rest = tensors_of(call.arguments)
    bent = _bent(call, query, rest[0] if rest else value, None)
    scale = call.weights.get("scale")
    scores = _summed(call, bent if scale is None else call.binary("Mul", bent, scale, "weighed"))
    return _attended(call, scores, query, value)


def _attended(call: LayerCall, scores: Value, query: Value, value: Value) -> list[Value]:
    shown, of_values, *_ = _masks_of(call)
    causal = _flag(call, "use_causal_mask") or call.settings.flag("causal", False)
    sizes: Sizes = (query.shape[1], value.shape[1])
    mask = joint_mask(call, [of_keys(call, of_values)], causal=causal, window=None, sizes=sizes)
    weights = weighed(call, scores, mask, zero_hidden=False)
    made = call.value(call.node("MatMul", weights.plain, value.plain))
    if (steps := of_queries(call, shown)) is not None:
        zero = call.constant(np.float32(0), "zero")
        made = call.value(call.node("Where", steps.plain, made.plain, zero, part="shown_steps"))
    return [made, *([weights] if _flag(call, "return_attention_scores") else [])]


def _masks_of(call: LayerCall) -> list[Value | None]:
    """The masks of query and value: those given, or those that the tensors carry."""
    given = call.keywords.get("mask")
    if isinstance(given, tuple):
        return [mask if isinstance(mask, Value) else None for mask in given]
    return [tensor.mask for tensor in tensors_of(call.arguments)]


def _bent(call: LayerCall, query: Value, key: Value, scale: np.ndarray | None) -> Value:
    """(N, T, S, features): tanh of the sums of each query and each key."""
    axes = [call.constant(np.array([axis], np.int64), f"axis_{axis}") for axis in (2, 1)]
    rows, columns = (
        call.value(call.node("Unsqueeze", tensor.plain, axis, part=part))
        for tensor, axis, part in zip((query, key), axes, ("rows", "columns"), strict=True)
    )
    total = call.binary("Add", rows, columns, "sums")
    return call.unary("Tanh", total if scale is None else call.binary("Mul", total, scale, "scaled"), "bent")


def _summed(call: LayerCall, tensor: Value) -> Value:
    axis = call.constant(np.array([-1], np.int64), "last_axis")
    return call.value(call.node("ReduceSum", tensor.plain, axis, part="scores", keepdims=0))


def _argument(call: LayerCall, place: int, name: str) -> Value:
    found = _optional(call, place, name)
    if found is None:
        raise ValueError(f"it is called without {name}")
    return found


def _optional(call: LayerCall, place: int, name: str) -> Value | None:
    given: Operand = call.arguments[place] if len(call.arguments) > place else call.keywords.get(name)
    return given if isinstance(given, Value) else None


def _of_keyword(call: LayerCall, name: str) -> Value | None:
    given = call.keywords.get(name)
    return given if isinstance(given, Value) else None


def _flag(call: LayerCall, name: str) -> bool:
    return call.keywords.get(name) is True


def _as_bool(call: LayerCall, mask: Value) -> Value:
    return mask if mask.dtype == "bool" else call.unary("Cast", mask, "mask", to=ir.DataType.BOOL.value)
