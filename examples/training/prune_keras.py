"""A Keras model pruned in its own training: fewer channels first, then half of the weights left to zero during ``fit``.

``python examples/training/prune_keras.py FOLDER`` trains a small model for seconds, writes what it became as
``digits_small.keras`` and prints the command that converts it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

import edgekit.prune

DIGITS = Path(__file__).parent.parent / "digits"


def main(folder: Path) -> None:
    keras.utils.set_random_seed(0)
    calibrate, evaluate = (np.load(DIGITS / f"{name}.npz") for name in ("calibrate", "evaluate"))
    x, y = evaluate["x"].astype(np.float32) / 16, evaluate["y"].reshape(-1)
    others, answers = calibrate["x"].astype(np.float32) / 16, calibrate["y"].reshape(-1)
    model = compiled(made())
    model.fit(x, y, batch_size=32, epochs=12, verbose=0)
    print(f"whole: {accuracy(model, others, answers):.1%} of {model.count_params()} parameters")

    # Channels: chosen and refitted on samples. What comes back is a model like any other, not compiled yet.
    smaller = edgekit.prune.keras_channels(model, x[:200], "40%").finish()
    before, after = smaller.macs
    small = compiled(smaller.model)
    print(f"{1 - after / before:.0%} of the multiply-accumulates removed: {accuracy(small, others, answers):.1%}")

    # Zeros: masks that follow a schedule, kept by a callback. In a loop of your own, call pruner.step() after each step.
    schedule = edgekit.prune.Polynomial(begin=0, end=60, every=10)
    pruner = edgekit.prune.keras(small, "50%", schedule=schedule)
    small.fit(x, y, batch_size=32, epochs=6, verbose=0, callbacks=[edgekit.prune.keras_callback(pruner)])
    zeros = pruner.finish().share
    print(f"trained on, {zeros:.0%} zeros: {accuracy(small, others, answers):.1%} of {small.count_params()} parameters")
    save(small, others, answers, folder)


def made() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(24, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def compiled(model: keras.Model) -> keras.Model:
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def accuracy(model: keras.Model, pictures: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(model.predict(pictures, verbose=0).argmax(1) == labels))


def save(model: keras.Model, pictures: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path, samples = folder / "digits_small.keras", folder / "keras_pictures.npz"
    model.save(path)
    np.savez(samples, x=pictures, y=labels)
    print(f"edgekit convert {path} -o {folder / 'keras_out'} --calibrate {samples}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
