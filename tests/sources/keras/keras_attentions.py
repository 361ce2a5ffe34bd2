"""Keras models with attention, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras_models import Build, function, one

STEPS, KEYS = (7, 8), (5, 8)


def attending(make: Callable[[Any, Any, Any], Any]) -> Build:
    """A model of a query and keys: ``make(layers, query, keys)``."""

    def build(keras: Any, la: Any) -> Any:
        query, keys = keras.Input(STEPS, name="query"), keras.Input(KEYS, name="keys")
        return keras.Model([query, keys], make(la, query, keys))

    return build


def reading(make: Callable[[Any, Any], Any]) -> Build:
    """A model of words behind an embedding that hides zeros: ``make(layers, tensor)``."""

    def build(keras: Any, la: Any) -> Any:
        words = keras.Input((7,), dtype="int32", name="hidden")
        return keras.Model(words, make(la, la.Embedding(11, 8, mask_zero=True)(words)))

    return build


def _encoder(keras: Any, x: Any) -> Any:
    la = keras.layers
    y = la.LayerNormalization()(x)
    x = la.Add()([x, la.MultiHeadAttention(2, 4, dropout=0.1)(y, y)])
    y = la.RMSNormalization()(x)
    return la.Add()([x, la.Dense(8)(la.Dense(16, activation="gelu")(y))])


def _given_mask(keras: Any, la: Any) -> Any:
    x, mask = keras.Input(STEPS, name="x"), keras.Input((7, 7), dtype="bool", name="mask")
    return keras.Model([x, mask], la.MultiHeadAttention(2, 4)(x, x, attention_mask=mask))


def _positions(keras: Any, x: Any) -> Any:
    table = keras.ops.convert_to_tensor([[0.1 * row - column for column in range(8)] for row in range(7)])
    return keras.layers.MultiHeadAttention(2, 4)(x + table, x + table)


MULTI_HEAD: Mapping[str, Build] = {
    "itself": function(STEPS, lambda keras, x: keras.layers.MultiHeadAttention(2, 4)(x, x)),
    "keys": attending(lambda la, q, k: la.MultiHeadAttention(3, 5, value_dim=6)(q, k)),
    "keys and values": attending(
        lambda la, q, k: la.MultiHeadAttention(2, 4, use_bias=False)(q, k, key=la.Dense(3)(k))
    ),
    "scores": attending(lambda la, q, k: la.MultiHeadAttention(2, 4)(q, k, return_attention_scores=True)),
    "causal": function(STEPS, lambda keras, x: keras.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)),
    "window": function(STEPS, lambda keras, x: keras.layers.MultiHeadAttention(2, 4, sliding_window=2)(x, x)),
    "gate": attending(lambda la, q, k: la.MultiHeadAttention(2, 4, use_gate=True)(q, k)),
    "output shape": attending(lambda la, q, k: la.MultiHeadAttention(2, 4, output_shape=(3, 2))(q, k)),
    "unknown length": function((None, 8), lambda keras, x: keras.layers.MultiHeadAttention(2, 4)(x, x)),
    "given mask": _given_mask,
    "behind a mask": reading(lambda la, x: la.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)),
    "behind a mask with scores": reading(lambda la, x: la.MultiHeadAttention(2, 4)(x, x, return_attention_scores=True)),
    "mask behind attention": reading(
        lambda la, x: la.GlobalAveragePooling1D()(la.LayerNormalization()(la.MultiHeadAttention(2, 4)(x, x)))
    ),
    "residual behind attention": reading(
        lambda la, x: la.GlobalAveragePooling1D()(la.Add()([x, la.MultiHeadAttention(2, 4)(x, x)]))
    ),
    "encoder": function(STEPS, _encoder),
    "positions": function(STEPS, _positions),
}

OTHERS: Mapping[str, Build] = {
    "group query": attending(lambda la, q, k: la.GroupQueryAttention(4, 6, 2)(q, k)),
    "group query of one": attending(lambda la, q, k: la.GroupQueryAttention(4, 6, 1)(q, k, use_causal_mask=True)),
    "group query with scores": attending(
        lambda la, q, k: la.GroupQueryAttention(4, 6, 2, use_bias=False)(q, k, return_attention_scores=True)
    ),
    "group query as many": attending(lambda la, q, k: la.GroupQueryAttention(4, 2, 2, use_gate=True)(q, k)),
    "dot": attending(lambda la, q, k: la.Attention()([q, k])),
    "dot scaled": attending(lambda la, q, k: la.Attention(use_scale=True)([q, k, la.Dense(8)(k)])),
    "dot with scores": attending(lambda la, q, k: la.Attention()([q, k], return_attention_scores=True)),
    "dot causal": attending(lambda la, q, k: la.Attention()([q, k], use_causal_mask=True)),
    "concat": attending(lambda la, q, k: la.Attention(score_mode="concat")([q, k])),
    "concat scaled": attending(lambda la, q, k: la.Attention(score_mode="concat", use_scale=True)([q, k])),
    "additive": attending(lambda la, q, k: la.AdditiveAttention()([q, k])),
    "additive without scale": attending(lambda la, q, k: la.AdditiveAttention(use_scale=False)([q, k])),
    "dot behind a mask": reading(lambda la, x: la.Attention()([x, x], use_causal_mask=True)),
    "additive behind a mask": reading(lambda la, x: la.GRU(3)(la.AdditiveAttention()([la.Dense(8)(x), x]))),
}

EINSUMS: Mapping[str, Build] = {
    equation: one(STEPS, lambda la, e=equation, s=shape, b=bias: la.EinsumDense(e, s, bias_axes=b, activation="relu"))
    for equation, shape, bias in (
        ("abc,cd->abd", (None, 5), "d"),
        ("...x,xy->...y", 5, "y"),
        ("abc,cde->abde", (None, 2, 3), "de"),
        ("abc,cde->abde ", (None, 2, 3), "e"),
        ("abc,bcd->ad", 4, None),
        ("abc,bd->adc", (3, 8), "d"),
        ("abc,cd->adb", (5, None), "d"),
        ("abc,bc->abc", (7, 8), None),
    )
}
ALL = {
    f"{family}: {name}": build
    for family, cases in {"multi-head": MULTI_HEAD, "attention": OTHERS, "einsum": EINSUMS}.items()
    for name, build in cases.items()
}
