"""Kernels as Keras 1 and the Theano backend stored them, brought to Keras 3's order of axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.sources.keras.archive import Provenance
from edgekit_converters.sources.keras.graph import Layer

_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose")
_ORDERS = {
    ("Conv2D", "channels_first"): (2, 3, 1, 0),
    ("Conv3D", "channels_first"): (2, 3, 4, 1, 0),
    ("Conv2DTranspose", "channels_first"): (2, 3, 0, 1),
    ("Conv2DTranspose", "channels_last"): (0, 1, 3, 2),
}


def modern_arrays(
    layer: Layer, arrays: Mapping[str, NDArray[Any]], provenance: Provenance
) -> Mapping[str, NDArray[Any]]:
    """The layer's weights with a convolution's kernel as Keras 3 stores it: spatial axes, input, output."""
    if layer.kind not in _CONVOLUTIONS or "kernel" not in arrays:
        return arrays
    kernel = arrays["kernel"]
    if provenance.major == 1:
        kernel = _from_keras_1(layer, kernel)
    if provenance.backend == "theano":  # Theano convolves, every other backend correlates
        kernel = np.flip(kernel, tuple(range(kernel.ndim - 2)))
    return {**arrays, "kernel": np.ascontiguousarray(kernel)}


def _from_keras_1(layer: Layer, kernel: NDArray[Any]) -> NDArray[Any]:
    if layer.kind == "Conv1D" and kernel.ndim == 4:
        length = layer.settings.spatial("kernel_size", 1)[0]
        last = kernel.shape[:2] == (length, 1) and kernel.shape[3] == layer.settings.integer("filters")
        return kernel[:, 0] if last else kernel.transpose(2, 3, 1, 0)[:, 0]
    order = _ORDERS.get((layer.kind, layer.settings.text("data_format", "channels_last")))
    return kernel.transpose(order) if order and len(order) == kernel.ndim else kernel
