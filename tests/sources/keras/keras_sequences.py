"""Keras models over sequences, by name: recurrent layers and masks. Inputs named "hidden" get steps that a mask hides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras_models import Build, function, one

SERIES = (7, 4)
_LAYERS = ("SimpleRNN", "LSTM", "GRU")


def hidden(*make: Callable[[Any], Any], shape: tuple[int, ...] = SERIES) -> Build:
    """A model behind Masking."""
    return lambda keras, la: keras.Sequential(
        [keras.Input(shape, name="hidden"), la.Masking(), *(one(la) for one in make)]
    )


def both(**options: Any) -> Callable[[Any], Any]:
    return lambda la: la.Bidirectional(la.LSTM(3, **options))


def _states(keras: Any, la: Any) -> Any:
    x = keras.Input(SERIES, name="x")
    y, h, c = la.LSTM(4, return_state=True, return_sequences=True)(x)
    z, _ = la.RNN(la.SimpleRNNCell(4), return_state=True)(y, initial_state=[h])
    w = la.Bidirectional(la.LSTM(4, return_state=True))(y, initial_state=[h, c, c, h])
    return keras.Model(x, [z, *w, h])


def _hidden_states(keras: Any, la: Any) -> Any:
    x, start = keras.Input(SERIES, name="hidden"), keras.Input((3,), name="start")
    masked = la.Masking()(x)
    shown = keras.ops.any(keras.ops.not_equal(x, 0.0), axis=-1)
    y, h, c = la.LSTM(3, return_state=True, return_sequences=True)(masked, initial_state=[start, start], mask=shown)
    z, g = la.GRU(3, return_state=True, go_backwards=True)(masked, initial_state=[start], mask=shown)
    w, k, _ = la.LSTM(3, return_state=True, go_backwards=True)(masked)
    return keras.Model([x, start], [y, h, c, z, g, w, k])


def _merged_masks(keras: Any, la: Any) -> Any:
    x, y = keras.Input(SERIES, name="hidden"), keras.Input(SERIES, name="plain")
    masked = la.Masking()(x)
    first = la.Add()([masked, la.Dropout(0.1)(masked)])
    second = la.Concatenate()([masked, y])
    third = la.Concatenate(axis=1)([la.Dense(4)(masked), la.LayerNormalization()(masked)])
    return keras.Model([x, y], [la.GRU(3)(value) for value in (first, second, third)])


def _encoder_decoder(keras: Any, la: Any) -> Any:
    source, target = keras.Input((6,), dtype="int32", name="source"), keras.Input((5,), dtype="int32", name="target")
    table = la.Embedding(11, 4, mask_zero=True)
    _, h, c = la.LSTM(4, return_state=True)(table(source))
    y = la.LSTM(4, return_sequences=True)(table(target), initial_state=[h, c])
    return keras.Model([source, target], la.TimeDistributed(la.Dense(3, activation="softmax"))(y))


def _two_towers(keras: Any, la: Any) -> Any:
    tower = keras.Sequential([keras.Input(SERIES), la.Bidirectional(la.GRU(3)), la.Dense(2)])
    x, y = keras.Input(SERIES, name="x"), keras.Input(SERIES, name="y")
    return keras.Model([x, y], la.Dot(axes=-1, normalize=True)([tower(x), tower(y)]))


RECURRENT: Mapping[str, Build] = {
    **{
        f"{kind} {option} sequences {sequences}": one(
            SERIES, lambda la, k=kind, o=options, s=sequences: getattr(la, k)(5, return_sequences=s, **o)
        )
        for kind in _LAYERS
        for option, options in {
            "plain": {},
            "backwards": {"go_backwards": True},
            "without bias": {"use_bias": False, "unroll": True},
        }.items()
        for sequences in (False, True)
    },
    "gru resets before": one(SERIES, lambda la: la.GRU(5, reset_after=False, return_sequences=True)),
    "gru resets before without bias": one(SERIES, lambda la: la.GRU(5, reset_after=False, use_bias=False)),
    **{
        f"{kind} activated by {name}": one(
            SERIES, lambda la, k=kind, n=name: getattr(la, k)(5, activation=n, return_sequences=True)
        )
        for kind in _LAYERS
        for name in ("relu", "hard_sigmoid", "elu", "softsign", "softplus", "linear", "leaky_relu")
    },
    **{
        f"{kind} gated by {name}": one(SERIES, lambda la, k=kind, n=name: getattr(la, k)(5, recurrent_activation=n))
        for kind in ("LSTM", "GRU")
        for name in ("hard_sigmoid", "tanh", "sparse_sigmoid")
    },
    **{
        f"{mode} of both ways, sequences {sequences}": one(
            SERIES,
            lambda la, m=mode, s=sequences: la.Bidirectional(la.LSTM(3, return_sequences=s), merge_mode=m),
        )
        for mode in ("concat", "sum", "ave", "mul")
        for sequences in (False, True)
    },
    "both ways apart": function(
        SERIES, lambda keras, x: keras.layers.Bidirectional(keras.layers.GRU(3), merge_mode=None)(x)
    ),
    "sequences of both ways apart": function(
        SERIES,
        lambda keras, x: keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=True), merge_mode=None)(x),
    ),
    **{
        f"{kind} with {option} written out": one(
            SERIES,
            lambda la, k=kind, o=option, v=value: getattr(la, k)(5, activation="gelu", return_sequences=True, **{o: v}),
        )
        for kind, option, value in (
            ("SimpleRNN", "go_backwards", True),
            ("LSTM", "recurrent_activation", "hard_silu"),
            ("GRU", "reset_after", True),
            ("GRU", "reset_after", False),
        )
    },
    "written out one way and both": lambda keras, la: keras.Sequential(
        [
            keras.Input(SERIES),
            la.Bidirectional(la.GRU(3, activation="silu", reset_after=False, return_sequences=True)),
            la.LSTM(4, activation="selu"),
        ]
    ),
    "conv lstm 2d": one(
        (4, 6, 7, 3), lambda la: la.ConvLSTM2D(2, (3, 2), strides=(1, 2), padding="same", return_sequences=True)
    ),
    "conv lstm 2d backwards": one(
        (4, 6, 7, 3), lambda la: la.ConvLSTM2D(2, 3, go_backwards=True, return_sequences=True, activation="relu")
    ),
    "conv lstm 1d": one((4, 6, 3), lambda la: la.ConvLSTM1D(2, 3, dilation_rate=2, use_bias=False)),
    "own backward layer": one(
        SERIES,
        lambda la: la.Bidirectional(
            la.LSTM(3, return_sequences=True), backward_layer=la.GRU(2, return_sequences=True, go_backwards=True)
        ),
    ),
    "stacked": lambda keras, la: keras.Sequential(
        [
            keras.Input(SERIES),
            la.LSTM(5, return_sequences=True),
            la.Bidirectional(la.GRU(3, return_sequences=True)),
            la.TimeDistributed(la.Dense(4)),
            la.SimpleRNN(2),
        ]
    ),
    "cells": one(SERIES, lambda la: la.RNN(la.GRUCell(5, reset_after=False), return_sequences=True, go_backwards=True)),
    "stacked cells": one(
        SERIES,
        lambda la: la.RNN([la.LSTMCell(4), la.GRUCell(5), la.SimpleRNNCell(3), la.LSTMCell(2)], return_sequences=True),
    ),
    "states": _states,
    "time distributed lstm": one((3, *SERIES), lambda la: la.TimeDistributed(la.LSTM(4))),
    "behind convolution": lambda keras, la: keras.Sequential(
        [keras.Input((12, 4)), la.Conv1D(6, 3, padding="same"), la.MaxPooling1D(2), la.LSTM(5)]
    ),
    "unknown length": one((None, 4), lambda la: la.GRU(5, return_sequences=True)),
    "two towers": _two_towers,
}

MASKED: Mapping[str, Build] = {
    **{
        f"{kind} behind a mask, sequences {sequences}, backwards {backwards}": hidden(
            lambda la, k=kind, s=sequences, b=backwards: getattr(la, k)(5, return_sequences=s, go_backwards=b)
        )
        for kind in _LAYERS
        for sequences in (False, True)
        for backwards in (False, True)
    },
    **{
        f"both ways behind a mask, sequences {sequences}": hidden(
            both(return_sequences=sequences), lambda la: la.Dense(2)
        )
        for sequences in (False, True)
    },
    "stacked behind a mask": hidden(both(return_sequences=True), both(return_sequences=True), lambda la: la.LSTM(4)),
    "stacked cells behind a mask": hidden(lambda la: la.RNN([la.LSTMCell(4), la.GRUCell(5)], return_sequences=True)),
    "written out behind a mask": hidden(lambda la: la.LSTM(3, activation="gelu", return_sequences=True)),
    "zeros for hidden steps": hidden(lambda la: la.LSTM(3, return_sequences=True, zero_output_for_mask=True)),
    "last of zeros for hidden steps": hidden(lambda la: la.GRU(3, zero_output_for_mask=True)),
    "states behind a mask": _hidden_states,
    "merged masks": _merged_masks,
    "mean behind a mask": lambda keras, la: keras.Sequential(
        [keras.Input(SERIES, name="seldom"), la.Masking(), la.Dense(3), la.GlobalAveragePooling1D()]
    ),
    "mask lost": hidden(lambda la: la.Conv1D(3, 3), lambda la: la.LSTM(4)),
    "mask of another value": one(SERIES, lambda la: la.Masking(mask_value=2.5)),
    "embedding with a mask": lambda keras, la: keras.Sequential(
        [keras.Input((7,), dtype="int32", name="hidden"), la.Embedding(11, 3, mask_zero=True), both()(la)]
    ),
    "mask nobody reads": lambda keras, la: keras.Sequential(
        [keras.Input((7,), dtype="int32"), la.Embedding(11, 3, mask_zero=True), la.Flatten(), la.Dense(2)]
    ),
    "encoder and decoder": _encoder_decoder,
}
ALL = {
    f"{family}: {name}": build
    for family, cases in {"recurrent": RECURRENT, "masked": MASKED}.items()
    for name, build in cases.items()
}
