"""The weights of a Keras model: what they are to each other, reading and writing them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.training.parameters import Mark, Parameter, Values, batch_norm_parameters

if TYPE_CHECKING:
    import keras


_BATCH_NORM = {
    "gamma": Mark.FACTOR,
    "beta": Mark.OFFSET,
    "moving_mean": Mark.NOTHING,
    "moving_variance": Mark.VARIANCE,
}


def keras_parameters(model: keras.Model) -> list[Parameter]:
    """All weights that are floats, each once, by `weight_names`."""
    names = weight_names(model)
    found: list[Parameter] = []
    taken: set[str] = set()
    ties, factors = _ties(model), _factors(model)
    for layer in model._flatten_layers(include_self=False):
        own = {
            variable.name: names[id(variable)]
            for variable in (*layer._trainable_variables, *layer._non_trainable_variables)
            if id(variable) in names and names[id(variable)] not in taken
        }
        taken |= set(own.values())
        found += _of_layer(layer, own, ties.get(id(layer), ""), factors.get(id(layer), 1.0))
    return found


def _ties(model: keras.Model) -> dict[int, str]:
    """By the identity of a layer: that of both directions of a `Bidirectional`, which takes one number of units for both."""
    both = [layer for layer in model._flatten_layers(include_self=False) if type(layer).__name__ == "Bidirectional"]
    return {id(inner): layer.name for layer in both for inner in layer._flatten_layers(include_self=False)}


def weight_names(model: keras.Model) -> dict[int, str]:
    """Names by the identity of a variable: its path, with its place behind it where another has the same. Floats only."""
    names: dict[int, str] = {}
    for place, variable in enumerate(model.weights):
        if str(variable.dtype).startswith("float") and len(variable.shape):
            path = str(variable.path)
            names[id(variable)] = path if path not in names.values() else f"{path}#{place}"
    return names


def _factors(model: keras.Model) -> dict[int, float]:
    """By the identity of the layer that makes queries: that by which edgekit's reader scales its weights."""
    found = {}
    for layer in model._flatten_layers(include_self=False):
        if type(layer).__name__ == "MultiHeadAttention":
            found[id(layer.query_dense)] = layer.key_dim**-0.5
        elif type(layer).__name__ in GROUPED_ATTENTIONS:
            found[id(layer._query_dense)] = layer.head_dim**-0.5
    return found


GROUPED_ATTENTIONS = ("GroupedQueryAttention", "GroupQueryAttention")
"""As Keras's class has been called."""


def _of_layer(layer: Any, own: dict[str, str], tied: str, factor: float) -> Iterator[Parameter]:
    shapes = {
        variable.name: tuple(variable.shape)
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables)
    }
    if type(layer).__name__ == "BatchNormalization":
        held = {_BATCH_NORM[name]: (path, shapes[name]) for name, path in own.items()}
        yield from batch_norm_parameters(held, float(layer.epsilon))
        return
    for name, path in own.items():
        follows = _leader(layer, own, shapes) if name == "bias" else None
        yield Parameter(path, shapes[name], follows=follows, tied=tied, factor=factor)


def _leader(layer: Any, own: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> tuple[str, int] | None:
    """The kernel and its axis of outputs, for the bias beside it."""
    kind = type(layer).__name__
    kernel = next((name for name in ("pointwise_kernel", "kernel") if name in own), None)
    if kernel is None or kind.startswith("Depthwise") or len(shapes["bias"]) != 1:
        return None
    return own[kernel], len(shapes[kernel]) - (2 if kind.endswith("Transpose") else 1)


def keras_values(model: keras.Model) -> dict[str, NDArray[Any]]:
    """What the weights hold, by name."""
    names = weight_names(model)
    return {names[id(variable)]: np.array(variable.numpy()) for variable in model.weights if id(variable) in names}


def set_keras_values(model: keras.Model, values: Values) -> None:
    """Give weights of the same shape new contents, in place."""
    names = weight_names(model)
    for variable in model.weights:
        if (array := values.get(names.get(id(variable), ""))) is not None:
            variable.assign(array)
