"""An LSTM and a GRU that read a digit row by row: train with Keras, save, convert.

``python examples/architectures/recurrent_keras.py FOLDER`` writes the models and prints the commands that convert them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
from digit_samples import convert_command, digits, save_samples


def main(folder: Path) -> None:
    pictures, labels = digits()
    samples = folder / "rows.npz"
    save_samples(samples, x=pictures[:200], y=labels[:200])
    for name, layer in (("lstm", keras.layers.LSTM(32)), ("gru", keras.layers.GRU(32))):
        model = keras.Sequential([keras.Input((8, 8), name="rows"), layer, keras.layers.Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(pictures[200:], labels[200:], epochs=5, batch_size=16, verbose=0)
        model.save(folder / f"{name}.keras")
        print(convert_command(folder / f"{name}.keras", samples))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
