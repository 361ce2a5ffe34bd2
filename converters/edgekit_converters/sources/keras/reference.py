"""Keras's own outputs for a file, from tensorflow in a child process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgekit import isolation
from edgekit.artifact import TensorSpec
from edgekit.errors import SourceError, StageCrashError
from edgekit.protocols import Feeds, Placement, Progress, Session
from edgekit_converters.sources.keras.archive import opened
from edgekit_converters.sources.keras.config import parse_model
from edgekit_converters.sources.keras.graph import Layer, Model, all_layers
from edgekit_converters.sources.keras.names import input_dtype, output_names


@dataclass(frozen=True, slots=True)
class ReferenceRequest:
    """Open a file in Keras; the names are those of the hub, in Keras's order."""

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]


def open_reference(path: Path) -> Session | None:
    """A session in Keras; None where tensorflow is absent, the model keeps states, or Keras 3 reads it otherwise or not."""
    if find_spec("tensorflow") is None or find_spec("keras") is None:
        return None
    with opened(path) as archive:
        model = parse_model(archive.config)
        if any(
            layer.keeps_states for layer in all_layers(model)
        ):  # Keras keeps them inside, the hub takes and gives them
            return None
        if archive.provenance.major < 3 and _computes_otherwise(model):
            return None
    request = ReferenceRequest(path.resolve(), _inputs(model), output_names(model))
    try:
        return isolation.open_session(f"{__name__}:open_in_keras", request, stage="the Keras reference")
    except (SourceError, StageCrashError):
        return None


def open_in_keras(request: ReferenceRequest, _: Progress) -> Session:
    """In the child: the file's model, loaded without running code of the file."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    model = keras.models.load_model(request.path, compile=False, safe_mode=True)
    flat = keras.Model(list(model.inputs), list(model.outputs))
    outputs = tuple(
        TensorSpec(name, "float32", tuple(size or f"{name}_{axis}" for axis, size in enumerate(tensor.shape)))
        for name, tensor in zip(request.outputs, model.outputs, strict=True)
    )
    return _KerasSession(flat, request.inputs, outputs)


@final
class _KerasSession:
    """A Keras model as a Session."""

    def __init__(self, model: Any, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self._model = model
        self.inputs = inputs
        self.outputs = outputs

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        found = self._model([feeds[spec.name] for spec in self.inputs], training=False)
        found = found if isinstance(found, (list, tuple)) else [found]
        named = zip(self.outputs, found, strict=True)
        return {spec.name: np.asarray(tensor, np.float32) for spec, tensor in named}

    def placement(self) -> Placement:
        return Placement((), notes=("TensorFlow on the CPU; which kernels ran is not recorded",))

    def close(self) -> None:
        """Nothing to release: the child process ends."""


def _inputs(model: Model) -> tuple[TensorSpec, ...]:
    return tuple(_spec(model.layers[name]) for name in model.inputs)


def _spec(layer: Layer) -> TensorSpec:
    if layer.shape is None:
        raise SourceError(f"the file does not say the shape of input {layer.name!r}")
    shape = tuple(size if axis and size else f"{layer.name}_{axis}" for axis, size in enumerate(layer.shape))
    return TensorSpec(layer.name, input_dtype(layer), shape)


def _computes_otherwise(model: Model) -> bool:
    """Keras 3 loads the hard sigmoid of older files but computes another function."""
    return any("hard_sigmoid" in str(layer.settings.values) for layer in all_layers(model))
