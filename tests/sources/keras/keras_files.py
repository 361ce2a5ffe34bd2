"""Keras files made by hand, in the dialects of old versions that can't be installed any more."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgekit.protocols import ReadOptions
from edgekit_converters.hub.model import Hub
from edgekit_converters.sources.keras import KerasSource

Arrays = Mapping[str, NDArray[Any]]


def write_h5(path: Path, config: object, weights: Mapping[str, Arrays], **attributes: str) -> Path:
    """A whole-model HDF5 file: weights by layer and name, in this order."""
    with h5py.File(path, "w") as store:
        store.attrs["model_config"] = json.dumps(config).encode()
        for key, value in attributes.items():
            store.attrs[key] = value.encode()
        group = store.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, arrays in weights.items():
            folder = group.create_group(layer)
            folder.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, array in arrays.items():
                folder.create_dataset(name, data=array)
    return path


def write_keras(path: Path, config: object, arrays: Arrays, version: str = "3.0.5") -> Path:
    """A `.keras` package: arrays by their path in the weights file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as store:
        for name, array in arrays.items():
            store.create_dataset(name, data=array)
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("config.json", json.dumps(config))
        package.writestr("metadata.json", json.dumps({"keras_version": version}))
        package.writestr("model.weights.h5", buffer.getvalue())
    return path


def layer(kind: str, name: str, *inputs: Sequence[object], **config: object) -> dict[str, object]:
    """A layer of a functional model of Keras 1 or 2; each input is [layer, call, output]."""
    nodes = [[list(entry) for entry in inputs]] if inputs else []
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def input_layer(name: str, *shape: int | None, **config: object) -> dict[str, object]:
    return layer("InputLayer", name, batch_input_shape=[None, *shape], **config)


def functional(layers: list[dict[str, object]], inputs: list[str], outputs: list[list[object]]) -> dict[str, object]:
    ends = {"input_layers": [[name, 0, 0] for name in inputs], "output_layers": outputs}
    return {"class_name": "Model", "config": {"name": "net", "layers": layers, **ends}}


def sequential(*layers: tuple[str, dict[str, object]]) -> dict[str, object]:
    """A Sequential model in the list form of Keras 1 and early Keras 2."""
    return {"class_name": "Sequential", "config": [{"class_name": kind, "config": config} for kind, config in layers]}


def read(path: Path, options: ReadOptions | None = None) -> Hub:
    return KerasSource().read(path, options or ReadOptions())


def run(path: Path, *arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """The hub's outputs in ONNX Runtime for the inputs in their order."""
    hub = read(path)
    session = onnxruntime.InferenceSession(hub.to_bytes(), providers=["CPUExecutionProvider"])
    return session.run(None, {spec.name: array for spec, array in zip(hub.inputs, arrays, strict=True)})


def ops(hub: Hub) -> list[str]:
    return [node.op_type for node in hub.model.graph]


def correlate(x: NDArray[Any], kernel: NDArray[Any]) -> NDArray[Any]:
    """Valid cross-correlation of (N, H, W, C) with (h, w, C, F), in float64 by definition."""
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), kernel.shape[:2], axis=(1, 2))
    return np.einsum("nijchw,hwcf->nijf", windows, kernel.astype(np.float64))


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
