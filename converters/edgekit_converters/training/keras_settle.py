"""Statistics of a Keras model's batch normalizations from samples, its answers unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.training.settle import Normalization, Statistics

if TYPE_CHECKING:
    import keras

_BATCH = 64


def settle_keras(model: keras.Model, samples: Sequence[NDArray[Any]]) -> None:
    """Those with factor and offset that stand in the model itself and are called once, in place."""
    import keras
    from keras import ops

    layers = list(_layers(model))
    if not layers:
        return
    inner = keras.Model(model.inputs, [layer.input for layer in layers])
    found = [Statistics() for _ in layers]
    for start in range(0, len(samples[0]), _BATCH):
        given = [ops.convert_to_tensor(array[start : start + _BATCH]) for array in samples]
        values = call(inner, given)
        for statistics, layer, value in zip(found, layers, values if len(layers) > 1 else [values], strict=True):
            statistics.add(np.asarray(ops.convert_to_numpy(value)), layer.axis)
    for layer, statistics in zip(layers, found, strict=True):
        _enter(layer, statistics)


def call(model: keras.Model, given: Sequence[Any]) -> Any:
    """The model's outputs in inference; inputs in its own order, whatever structure it was made with."""
    from keras import tree

    structure = getattr(model, "_inputs_struct", None)  # a Sequential model has one input and no structure
    return model(given[0] if structure is None else tree.pack_sequence_as(structure, list(given)), training=False)


def _layers(model: keras.Model) -> Iterator[Any]:
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization" and layer.scale and layer.center and _called_once(layer):
            yield layer


def _called_once(layer: Any) -> bool:
    return len(layer._inbound_nodes) == 1


def _enter(layer: Any, statistics: Statistics) -> None:
    held = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    arrays = [np.asarray(variable.numpy(), np.float64) for variable in held]
    old = Normalization(arrays[0], arrays[1], arrays[2], arrays[3], layer.epsilon)
    new = old.with_statistics(statistics.mean, statistics.variance)
    for variable, array in zip(held, (new.factor, new.offset, new.mean, new.variance), strict=True):
        variable.assign(array.astype(np.float32))
