"""Train the demo's network: a small CNN on scikit-learn's handwritten digits; writes examples/digits.

Needs scikit-learn and tensorflow. Run from the repository's root: ``python scripts/train_digits.py``. The digits are
split once by a fixed seed: 1,197 to train on, 100 of these to calibrate on, 600 to evaluate on that training never saw.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits

OUT = Path("examples/digits")
EVALUATED = 600
CALIBRATED = 100


def main() -> None:
    keras.utils.set_random_seed(7)
    digits = load_digits()
    order = np.random.default_rng(7).permutation(len(digits.target))
    x = digits.images[order].astype(np.float32)[..., None]
    y = digits.target[order].astype(np.int32)
    train, evaluate = slice(EVALUATED, None), slice(EVALUATED)
    model = network()
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, 60 * 38)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x[train], y[train], batch_size=32, epochs=60, verbose=0)
    print(f"accuracy on {EVALUATED} digits: {model.evaluate(x[evaluate], y[evaluate], verbose=0)[1]:.4f}")
    model.compile()  # drops the optimizer's state, two thirds of the file
    model.save(OUT / "digits_cnn.keras")
    np.savez_compressed(
        OUT / "calibrate.npz", x=x[train][:CALIBRATED].astype(np.uint8), y=y[train][:CALIBRATED].astype(np.uint8)
    )
    np.savez_compressed(OUT / "evaluate.npz", x=x[evaluate].astype(np.uint8), y=y[evaluate].astype(np.uint8))


def network() -> keras.Model:
    """Pixels 0..16, 8 x 8: two stages of convolutions with a residual, about 40,000 parameters."""
    image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Rescaling(1 / 16)(image)
    x = block(x, 16)
    x = block(x, 32, strides=2)
    x = keras.layers.ReLU()(keras.layers.Add()([x, block(x, 32, activation=False)]))
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = block(x, 64, strides=2)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.3)(x)
    return keras.Model(image, keras.layers.Dense(10, activation="softmax", name="digit")(x), name="digits_cnn")


def block(x: keras.KerasTensor, channels: int, strides: int = 1, activation: bool = True) -> keras.KerasTensor:
    x = keras.layers.Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.ReLU(6.0)(x) if activation else x


if __name__ == "__main__":
    main()
