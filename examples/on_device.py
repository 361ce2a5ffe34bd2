"""Open converted files with the on-device library and answer a few digits.

Run it after ``edgekit convert examples/digits/digits_cnn.keras -o out --calibrate examples/digits/calibrate.npz``:
``python examples/on_device.py out/digits_cnn.int8.tflite out/digits_cnn.int8.onnx``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import edgekit


def main(paths: list[str]) -> None:
    samples = np.load(Path(__file__).parent / "digits" / "evaluate.npz")
    images, labels = samples["x"].astype(np.float32), samples["y"]
    for path in paths:
        with edgekit.load(path, threads=1) as model:
            found = np.concatenate([model(image[None]) for image in images]).argmax(axis=1)
        right = int((found == labels).sum())
        print(f"{Path(path).name}: first digits {found[:8].tolist()}, {right} of {len(labels)} right")


if __name__ == "__main__":
    main(sys.argv[1:])
