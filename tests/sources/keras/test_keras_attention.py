"""Attention of Keras 2 files, made by hand, against its definition in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from keras_files import functional, input_layer, layer, normal, ops, read, run, write_h5, write_keras

from edgekit.errors import UnsupportedLayerError

HEADS, SIZE, FEATURES, STEPS = 2, 3, 4, 5
PARTS = ("query", "key", "value", "attention_output")


def arrays():
    kernels = [normal(FEATURES, HEADS, SIZE, seed=seed) for seed in range(3)] + [normal(HEADS, SIZE, FEATURES, seed=3)]
    biases = [normal(HEADS, SIZE, seed=seed) for seed in range(4, 7)] + [normal(FEATURES, seed=7)]
    return [array for pair in zip(kernels, biases, strict=True) for array in pair]


def expected(x, shown):
    """Multi-head attention of ``x`` to itself over the positions ``shown``, (N or 1, T, T)."""
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = zip(*[iter(arrays())] * 2, strict=True)
    query, key, value = (np.einsum("ntd,dhk->nhtk", x, w) + b[:, None] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
    scores = np.where(shown[:, None], np.einsum("nhtk,nhsk->nhts", query, key) / np.sqrt(SIZE), -1e9)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("nhtk,hkd->ntd", weights @ value, wo) + bo


def model(keywords, *, shape=(STEPS, FEATURES), **config):
    """A Keras 2 model whose attention gets its value by keyword."""
    own = {"num_heads": HEADS, "key_dim": SIZE, "value_dim": SIZE, "attention_axes": [1], **config}
    attention = layer("MultiHeadAttention", "it", ("x", 0, 0, {"value": ["x", 0, 0], **keywords}), **own)
    return functional([input_layer("x", *shape), attention], ["x"], [["it", 0, 0]])


@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_attention_of_keras_2(tmp_path, causal):
    stored = {f"w{n}": array for n, array in enumerate(arrays())}
    path = write_h5(tmp_path / "m.h5", model({"use_causal_mask": causal}), {"it": stored}, keras_version="2.11.0")
    x = normal(2, STEPS, FEATURES, seed=9)
    shown = np.tril(np.ones((1, STEPS, STEPS), bool)) if causal else np.ones((1, STEPS, STEPS), bool)
    np.testing.assert_allclose(run(path, x)[0], expected(x, shown), rtol=1e-5, atol=1e-5)


def test_folders_of_projections_may_begin_with_an_underscore(tmp_path):
    parts = ("query", "key", "value", "output")
    stored = {
        f"layers/multi_head_attention/_{part}_dense/vars/{n}": array
        for part, pair in zip(parts, zip(*[iter(arrays())] * 2, strict=True), strict=True)
        for n, array in enumerate(pair)
    }
    path = write_keras(tmp_path / "m.keras", model({}), stored)
    x = normal(2, STEPS, FEATURES, seed=9)
    found = run(path, x)[0]
    np.testing.assert_allclose(found, expected(x, np.ones((1, STEPS, STEPS), bool)), rtol=1e-5, atol=1e-5)


def test_heads_cost_four_transposes_and_no_multiplication_of_their_own(tmp_path):
    stored = {f"w{n}": array for n, array in enumerate(arrays())}
    path = write_h5(tmp_path / "m.h5", model({}), {"it": stored}, keras_version="2.11.0")
    found = ops(read(path))
    assert (found.count("Transpose"), found.count("MatMul"), found.count("Mul")) == (4, 6, 0)


def test_a_mask_of_zeros_hides_keys_from_attention(tmp_path):
    """The words 1, 2, 3, 0, 0: the last two are no keys, and as queries attend to nothing but themselves' like."""
    words = input_layer("words", STEPS, dtype="int32")
    table = layer("Embedding", "table", ("words", 0, 0), input_dim=6, output_dim=FEATURES, mask_zero=True)
    own = {"num_heads": HEADS, "key_dim": SIZE, "value_dim": SIZE}
    attention = layer("MultiHeadAttention", "it", ("table", 0, 0, {"value": ["table", 0, 0]}), **own)
    config = functional([words, table, attention], ["words"], [["it", 0, 0]])
    embeddings = normal(6, FEATURES, seed=8)
    weights = {"table": {"e": embeddings}, "it": {f"w{n}": array for n, array in enumerate(arrays())}}
    path = write_h5(tmp_path / "m.h5", config, weights, keras_version="2.11.0")
    tokens = np.array([[1, 2, 3, 0, 0]], np.int32)
    shown = (tokens != 0)[:, None, :] & (tokens != 0)[:, :, None]
    np.testing.assert_allclose(run(path, tokens)[0], expected(embeddings[tokens], shown), rtol=1e-5, atol=1e-5)


def test_attention_over_pictures_is_refused_by_name(tmp_path):
    stored = {f"w{n}": array for n, array in enumerate(arrays())}
    path = write_h5(tmp_path / "m.h5", model({}, shape=(3, 3, FEATURES)), {"it": stored}, keras_version="2.11.0")
    with pytest.raises(UnsupportedLayerError, match=r"'it'.*4 axes.*batch, steps, features"):
        read(path)


def test_causal_attention_over_an_unknown_number_of_steps_asks_for_it(tmp_path):
    stored = {f"w{n}": array for n, array in enumerate(arrays())}
    config = model({"use_causal_mask": True}, shape=(None, FEATURES))
    path = write_h5(tmp_path / "m.h5", config, {"it": stored}, keras_version="2.11.0")
    with pytest.raises(UnsupportedLayerError, match=r"'it'.*known number of steps.*--input-shape"):
        read(path)
