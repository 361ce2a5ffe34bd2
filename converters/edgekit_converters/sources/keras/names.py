"""Names and element types of a model's inputs and outputs, the same for the hub and the reference."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.errors import UnsupportedLayerError
from edgekit_converters.sources.keras.graph import Layer, Model

_WHOLE_NUMBERS = ("int8", "uint8", "int16", "uint16", "int32", "int64", "bool")


def output_names(model: Model) -> tuple[str, ...]:
    """The output layers' names, made unique and different from the inputs'."""
    taken = set(model.inputs)
    names = []
    for ref in model.outputs:
        candidate, count = ref.layer, 1
        while candidate in taken:
            count += 1
            candidate = f"{ref.layer}_{count}"
        taken.add(candidate)
        names.append(candidate)
    return tuple(names)


def input_dtype(layer: Layer) -> str:
    """float32 for every float; whole numbers and booleans as they are. Raises UnsupportedLayerError for texts."""
    raw = layer.settings.get("dtype")
    if isinstance(raw, Mapping):
        config = raw.get("config")
        raw = config.get("name") if isinstance(config, Mapping) else None
    if raw == "string":
        raise UnsupportedLayerError(f"input {layer.name!r} takes texts; only numbers can be converted")
    return raw if isinstance(raw, str) and raw in _WHOLE_NUMBERS else "float32"
