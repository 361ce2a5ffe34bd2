"""The networks of `architectures` in Keras 3, on its PyTorch backend: one loop then trains those of both frameworks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from architecture_data import CHARACTERS, LETTERS, NOISE, TOKENS, VOCABULARY
from numpy.typing import NDArray

os.environ["KERAS_BACKEND"] = "torch"

INPUT = "x"


def build(name: str, width: int) -> Any:
    """A model of fresh weights, the same at every call; ``width`` numbers a sample where samples are vectors."""
    import keras

    keras.utils.set_random_seed(0)
    return NETWORKS[name](width)


def apply(network: Any, x: Any, training: bool) -> Any:
    return network(x, training=training)


def arranged(x: NDArray[Any]) -> NDArray[Any]:
    """Samples as Keras wants them: as they are."""
    return x


def save(network: Any, x: NDArray[Any], folder: Path, name: str) -> Path:
    path = folder / f"{name}.keras"
    network.save(path)
    return path


def _input(*shape: int, dtype: str = "float32") -> Any:
    import keras

    return keras.Input(shape, name=INPUT, dtype=dtype)


def _feed_forward(width: int) -> Any:
    import keras
    from keras import layers

    hidden = [layers.Dense(64, "relu"), layers.Dense(32, "relu")]
    return keras.Sequential([_input(width), *hidden, layers.Dense(2)])


def _convolutional(width: int) -> Any:
    import keras
    from keras import layers

    stack = [_input(32, 32, 3)]
    for index, filters in enumerate((16, 32, 32)):
        stack += [layers.Conv2D(filters, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
        stack += [layers.MaxPooling2D()] if index < 2 else []
    return keras.Sequential([*stack, layers.GlobalAveragePooling2D(), layers.Dense(10)])


def _recurrent(kind: str, units: int, count: int, directions: int) -> Callable[[int], Any]:
    def make(width: int) -> Any:
        import keras
        from keras import layers

        stack = [getattr(layers, kind)(units, return_sequences=index + 1 < count) for index in range(count)]
        if directions == 2:
            stack = [layers.Bidirectional(layer) for layer in stack]
        return keras.Sequential([_input(30, width), *stack, layers.Dense(10)])

    return make


def _generator(width: int) -> Any:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            _input(NOISE),
            layers.Dense(128, "relu"),
            layers.Reshape((2, 2, 32)),
            layers.Conv2DTranspose(16, 4, 2, "same", activation="relu"),
            layers.Conv2DTranspose(1, 4, 2, "same", activation="sigmoid"),
        ]
    )


def _discriminator(width: int) -> Any:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            _input(8, 8, 1),
            layers.Conv2D(32, 3, 2, "same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(64, 3, 2, "same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def _transformer(causal: bool) -> Callable[[int], Any]:
    tokens, length, classes = (len(LETTERS) + 1, CHARACTERS, len(LETTERS) + 1) if causal else (VOCABULARY, TOKENS, 2)

    def make(width: int) -> Any:
        import keras
        from keras import layers, ops

        x = _input(length, dtype="int32")
        places = layers.Embedding(length, 64)(ops.add(ops.multiply(x, 0), np.arange(length, dtype=np.int32)))
        stream = layers.Embedding(tokens, 64, mask_zero=not causal)(x) + places
        for _ in range(2):
            attention = layers.MultiHeadAttention(4, 16)
            stream = layers.LayerNormalization(epsilon=1e-5)(stream + attention(stream, stream, use_causal_mask=causal))
            hidden = layers.Dense(64)(layers.Dense(128, "gelu")(stream))
            stream = layers.LayerNormalization(epsilon=1e-5)(stream + hidden)
        if not causal:
            stream = layers.GlobalAveragePooling1D()(stream)
        return keras.Model(x, layers.Dense(classes)(stream))

    return make


def _autoencoder(width: int) -> Any:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            _input(8, 8, 1),
            layers.Conv2D(16, 3, 2, "same", activation="relu"),
            layers.Conv2D(8, 3, 2, "same", activation="relu"),
            layers.Conv2DTranspose(16, 4, 2, "same", activation="relu"),
            layers.Conv2DTranspose(1, 4, 2, "same", activation="sigmoid"),
        ]
    )


def _variational(width: int) -> Any:
    import keras
    from keras import layers

    x, z = _input(8, 8, 1), keras.Input((8,), name="z")
    hidden = layers.Dense(64, "relu")(layers.Flatten()(x))
    encode = keras.Model(x, [layers.Dense(8, name="mean")(hidden), layers.Dense(8, name="log_variance")(hidden)])
    picture = layers.Dense(64, "sigmoid")(layers.Dense(64, "relu")(z))
    decode = keras.Model(z, layers.Reshape((8, 8, 1))(picture))
    mean, log_variance = encode(x)
    network = keras.Model(x, [decode(mean), mean, log_variance])
    network.encode, network.decode = encode, decode
    return network


NETWORKS: Mapping[str, Callable[[int], Any]] = {
    "feed-forward": _feed_forward,
    "cnn": _convolutional,
    "rnn": _recurrent("SimpleRNN", 48, 1, 1),
    "lstm": _recurrent("LSTM", 48, 1, 1),
    "gru": _recurrent("GRU", 48, 1, 1),
    "rnn-stacked": _recurrent("SimpleRNN", 32, 2, 2),
    "lstm-stacked": _recurrent("LSTM", 32, 2, 2),
    "gru-stacked": _recurrent("GRU", 32, 2, 2),
    "generator": _generator,
    "discriminator": _discriminator,
    "encoder": _transformer(causal=False),
    "decoder": _transformer(causal=True),
    "autoencoder": _autoencoder,
    "vae": _variational,
}
