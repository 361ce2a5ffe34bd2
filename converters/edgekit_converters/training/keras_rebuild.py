"""A smaller copy of a Keras model: built from its configuration with other sizes, then given the kept weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.errors import ConversionError, UsageError
from edgekit_converters.training.keras_parameters import (
    GROUPED_ATTENTIONS,
    keras_values,
    set_keras_values,
    weight_names,
)
from edgekit_converters.training.provenance import Kept

if TYPE_CHECKING:
    import keras

Sizes = dict[str, int]

_MISFITS = (TypeError, ValueError, RuntimeError)
"""What sizes raise that don't fit together: in constructors (Keras wraps what they raise), in Keras's checks, in PyTorch."""


def rebuilt(model: keras.Model, kept: Mapping[str, Kept]) -> keras.Model:
    """A copy that holds the kept elements of each weight, not compiled.

    Raises UsageError for a model that Keras can't build from its configuration, ConversionError where the sizes do not fit.
    """
    if not any(kind.__name__ in ("Functional", "Sequential") for kind in type(model).__mro__):
        raise UsageError(
            f"the model is a {type(model).__name__}, which Keras can't build with other sizes; expected a functional or "
            "Sequential one"
        )
    configs = {id(operation): _configuration(operation) for operation in _operations(model)}
    names = weight_names(model)
    for layer in model.layers:
        _resize(layer, configs[id(layer)], names, kept)
    result = _cloned(model, configs)
    _give_weights(model, result, kept)
    return result


def _operations(model: keras.Model) -> list[keras.Operation]:
    """Layers, and in a functional model what stands between them (``x + y``)."""
    import keras

    return list(model.layers if isinstance(model, keras.Sequential) else model.operations)


def _configuration(operation: keras.Operation) -> dict[str, Any]:
    try:
        config: dict[str, Any] = operation.get_config()
    except NotImplementedError as error:
        raise UsageError(
            f"the layer {operation.name!r} ({type(operation).__name__}) has no configuration to be built from: "
            f"{_in_short(error)}. Give its class a get_config() that returns the arguments of its constructor"
        ) from error
    return config


def _cloned(model: keras.Model, configs: Mapping[int, dict[str, Any]]) -> keras.Model:
    """A copy whose operations are built from these configurations, by the identity of the operation."""
    import keras

    try:
        return keras.models.clone_model(
            model, clone_function=lambda operation: type(operation).from_config(configs[id(operation)])
        )
    except _MISFITS as error:
        raise ConversionError(f"Keras can't build the model with these sizes: {_in_short(error)}") from error


def _in_short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _give_weights(model: keras.Model, result: keras.Model, kept: Mapping[str, Kept]) -> None:
    old_names, new_names = weight_names(model), weight_names(result)
    values = keras_values(model)
    made = {}
    for old, new in zip(model.weights, result.weights, strict=True):
        name = old_names.get(id(old))
        if name is None:
            new.assign(old.value)  # the state of a random number generator
            continue
        array = values[name][np.ix_(*kept[name])] if name in kept else values[name]
        if array.shape != tuple(new.shape):
            raise ConversionError(
                f"the weight {name!r} is {array.shape} without what was removed, but Keras builds it as {tuple(new.shape)}"
            )
        made[new_names[id(new)]] = array
    set_keras_values(result, made)


def _resize(layer: Any, config: dict[str, Any], names: Mapping[int, str], kept: Mapping[str, Kept]) -> None:
    """Enter the sizes of the kept weights into a layer's configuration, and those of layers inside it."""
    for key, inner in _inner(layer, config):
        config[key].pop("build_config", None)
        _resize(inner, config[key]["config"], names, kept)
    # A recurrent layer's weights are its cell's, whose settings are its own.
    own = layer.cell if "units" in config and hasattr(layer, "cell") else layer
    shapes = {
        variable.name: tuple(len(indices) for indices in kept[names[id(variable)]])
        for variable in own._trainable_variables + own._non_trainable_variables
        if names.get(id(variable)) in kept
    }
    for part, dense in _projections(layer):
        if (kernel := names.get(id(dense.kernel), "")) in kept:
            shapes[part] = tuple(len(indices) for indices in kept[kernel])
    config |= _sizes(type(layer).__name__, config, shapes)


def _projections(layer: Any) -> list[tuple[str, Any]]:
    """The layers of an attention whose kernels tell its heads."""
    if type(layer).__name__ == "MultiHeadAttention":
        return [("query", layer.query_dense)]
    if type(layer).__name__ in GROUPED_ATTENTIONS:
        return [("query", layer._query_dense), ("key", layer._key_dense)]
    return []


def _inner(layer: Any, config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Wrapped layers, by their key in the configuration."""
    pairs = {
        "layer": getattr(layer, "forward_layer", getattr(layer, "layer", None)),
        "backward_layer": getattr(layer, "backward_layer", None),
        "cell": getattr(layer, "cell", None),
    }
    return [(key, inner) for key, inner in pairs.items() if inner is not None and isinstance(config.get(key), dict)]


def _sizes(kind: str, config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """What a layer's configuration says about its own size, from the shapes of its weights."""
    if kind == "Reshape":
        return {"target_shape": _open(config["target_shape"])}
    if kind == "MultiHeadAttention":
        return {"num_heads": shapes["query"][1]} if "query" in shapes else {}
    if kind in GROUPED_ATTENTIONS:
        both = {"num_query_heads": "query", "num_key_value_heads": "key"}
        return {size: shapes[part][1] for size, part in both.items() if part in shapes}
    if kind == "Embedding":
        return {"output_dim": shapes["embeddings"][-1]} if "embeddings" in shapes else {}
    if "pointwise_kernel" in shapes:
        return {"filters": shapes["pointwise_kernel"][-1]}
    kernel = shapes.get("kernel")
    if kernel is None:
        return {}
    if "units" in config:
        return {"units": shapes["recurrent_kernel"][0] if "recurrent_kernel" in shapes else kernel[-1]}
    if "filters" in config:
        return {"filters": kernel[-2 if kind.endswith("Transpose") else -1]}
    return {}


def _open(target: Any) -> tuple[int, ...]:
    """The last size follows from the others, which is the same for a layer that nothing was removed from."""
    return tuple(target) if -1 in target or not target else (*target[:-1], -1)
