#!/usr/bin/env python
"""Train three small Keras networks on CIFAR-10, once: EfficientNet blocks, a vision Transformer and a U-Net that removes noise.

Usage: cifar_keras.py. Writes mbconv_keras.keras, vit_keras.keras, unet_keras.keras and samples to out/bench (or EDGEKIT_BENCH).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from models import WORK, data_file
from numpy.typing import NDArray
from sample_files import Arrays, cifar_parts, sample_files

EPOCHS = {"mbconv": 16, "vit": 12, "unet": 6}
STAGES = ((1, 16, 2), (4, 24, 1), (4, 40, 2), (4, 40, 1), (4, 80, 2), (4, 80, 1))
WIDTH, HEADS, LAYERS, PATCH = 64, 4, 4, 4
NOISE = 25.0
"""Standard deviation of the noise that the U-Net removes, of 255."""


def main() -> None:
    for kind in EPOCHS:
        print(cifar_keras(kind))


def cifar_keras(kind: str) -> Path:
    """``kind`` "mbconv" or "vit": pictures (N, 32, 32, 3) in 0..255 to logits (N, 10); "unet": to pictures without noise."""
    path = WORK / f"{kind}_keras.keras"
    if not path.exists():
        import keras

        keras.utils.set_random_seed(0)
        network = {"mbconv": _efficient, "vit": _transformer, "unet": _unet}[kind]()
        training = np.load(data_file("cifar10_train.npz"))
        x, y = training["x"].astype(np.float32), training["y"].reshape(-1).astype(np.int64)
        if kind == "unet":
            _train(network, noisy(x), x / 255, keras.losses.MeanSquaredError(), EPOCHS[kind], 2e-3)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            _train(network, x, y, loss, EPOCHS[kind], 3e-3 if kind == "mbconv" else 1.5e-3, shifted=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        network.save(path)
    return path


def cifar_pictures() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz: ``x`` (N, 32, 32, 3) in 0..255, ``y``; 200 training pictures, 2,000 of the others."""

    def made() -> tuple[Arrays, Arrays]:
        calibrate, evaluate = cifar_parts(2000)
        return {**calibrate, "x": calibrate["x"].astype(np.float32)}, {
            **evaluate,
            "x": evaluate["x"].astype(np.float32),
        }

    return sample_files("cifar_pictures", made)


def noisy_samples() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz of pictures with noise: 200 for training, 500 of the others."""

    def made() -> tuple[Arrays, Arrays]:
        calibrate, evaluate = cifar_parts(500)
        return {"x": noisy(calibrate["x"].astype(np.float32))}, {"x": noisy(evaluate["x"].astype(np.float32))}

    return sample_files("noisy", made)


def noisy(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).standard_normal(pictures.shape, np.float32)
    return np.clip(pictures + NOISE * noise, 0, 255)


def _train(network: Any, x: Any, y: Any, loss: Any, epochs: int, rate: float, shifted: bool = False) -> None:
    import keras
    import tensorflow as tf

    def moved(pictures: Any, labels: Any) -> Any:
        step = tf.random.uniform((2,), -3, 4, tf.int32)
        return tf.roll(tf.image.random_flip_left_right(pictures), step, (1, 2)), labels

    pairs = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=0).batch(64, drop_remainder=True)
    steps = epochs * (len(x) // 64)
    schedule = keras.optimizers.schedules.CosineDecay(rate / 10, steps, warmup_target=rate, warmup_steps=steps // 5)
    network.compile(keras.optimizers.AdamW(schedule, weight_decay=0.02, clipnorm=1.0), loss)
    network.fit(pairs.map(moved) if shifted else pairs, epochs=epochs, verbose=2)


def _efficient() -> Any:
    """MBConv blocks as in M. Tan and Q. Le, "EfficientNet", 2019: swish, squeeze and excitation, residuals."""
    import keras
    from keras import layers

    def normalized(x: Any) -> Any:
        return layers.Activation("swish")(layers.BatchNormalization()(x))

    def block(x: Any, expansion: int, channels: int, stride: int) -> Any:
        given = x.shape[-1]
        wide = normalized(layers.Conv2D(given * expansion, 1, use_bias=False)(x))
        wide = normalized(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(wide))
        gate = layers.GlobalAveragePooling2D(keepdims=True)(wide)
        gate = layers.Conv2D(max(given // 4, 4), 1, activation="swish")(gate)
        wide = layers.Multiply()([wide, layers.Conv2D(wide.shape[-1], 1, activation="sigmoid")(gate)])
        made = layers.BatchNormalization()(layers.Conv2D(channels, 1, use_bias=False)(wide))
        return layers.Add()([x, made]) if stride == 1 and given == channels else made

    picture = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 63.75, -2.0)(picture)
    x = normalized(layers.Conv2D(24, 3, padding="same", use_bias=False)(x))
    for stage in STAGES:
        x = block(x, *stage)
    x = normalized(layers.Conv2D(192, 1, use_bias=False)(x))
    return keras.Model(picture, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def _transformer() -> Any:
    """A vision Transformer as in A. Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, with the mean of its tokens;
    where a token lies it learns from a depthwise convolution (X. Chu et al., "Conditional Positional Encodings", 2021)."""
    import keras
    from keras import layers

    picture = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 63.75, -2.0)(picture)
    x = layers.Conv2D(WIDTH, PATCH, PATCH)(x)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.Reshape((-1, WIDTH))(x)
    for _ in range(LAYERS):
        tokens = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(tokens, tokens)])
        tokens = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([x, layers.Dense(WIDTH)(layers.Dense(3 * WIDTH, activation="gelu")(tokens))])
    mean = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(picture, layers.Dense(10)(mean))


def _unet() -> Any:
    """After O. Ronneberger et al., "U-Net", 2015: three scales, skips by concatenation; it adds what it finds to its input."""
    import keras
    from keras import layers

    def twice(x: Any, channels: int) -> Any:
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        return layers.Conv2D(channels, 3, padding="same", activation="relu")(x)

    picture = keras.Input((32, 32, 3))
    given = layers.Rescaling(1 / 255)(picture)
    fine = twice(given, 24)
    middle = twice(layers.MaxPooling2D()(fine), 48)
    coarse = twice(layers.MaxPooling2D()(middle), 96)
    up = layers.Concatenate()([layers.Conv2DTranspose(48, 2, 2)(coarse), middle])
    up = layers.Concatenate()([layers.Conv2DTranspose(24, 2, 2)(twice(up, 48)), fine])
    return keras.Model(picture, layers.Add()([given, layers.Conv2D(3, 1)(twice(up, 24))]))


if __name__ == "__main__":
    main()
