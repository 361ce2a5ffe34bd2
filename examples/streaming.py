"""Feed a converted model with states chunk by chunk, its states carried from each to the next.

``python examples/streaming.py out/model.int8.tflite chunks.npz``: the .npz holds one array an input, its first axis counts the
chunks in order.
"""

from __future__ import annotations

import sys

import numpy as np

import edgekit


def main(path: str, samples: str) -> None:
    with edgekit.load(path) as model, model.stream() as stream:
        print("carried from call to call:", ", ".join(map(str, model.states)))
        arrays = np.load(samples)
        taken = [arrays[spec.name if spec.name in arrays else "x"] for spec in stream.inputs]
        for number, chunk in enumerate(zip(*taken, strict=True)):
            outputs = stream.run({spec.name: part[None] for spec, part in zip(stream.inputs, chunk, strict=True)})
            shown = ", ".join(f"{name} {array.reshape(-1)[:4].round(3).tolist()}" for name, array in outputs.items())
            print(f"chunk {number}: {shown}")


if __name__ == "__main__":
    main(*sys.argv[1:])
