"""What the reader decided for the user, as sentences for the report."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit_converters.sources.keras.archive import Provenance
from edgekit_converters.sources.keras.graph import Layer, Literal, Model, all_layers


def notes_on(model: Model, provenance: Provenance) -> tuple[str, ...]:
    layers = list(all_layers(model))
    return (
        *_training_notes(model),
        *(_state_note() for _ in layers[:1] if any(layer.keeps_states for layer in layers)),
        *(_half_precision_note() for _ in layers[:1] if any(_is_half(layer) for layer in layers)),
        *(_theano_note() for _ in layers[:1] if _may_be_theano(layers, provenance)),
    )


def _training_notes(model: Model) -> Iterator[str]:
    for call in model.calls:
        if call.keywords.get("training") == Literal(True):
            yield f"layer {call.layer!r} is called with training=True in the file; it is converted as at inference"


def _is_half(layer: Layer) -> bool:
    return "float16" in str(layer.settings.get("dtype"))


def _half_precision_note() -> str:
    return "the model computes in half precision; it is converted in float32"


def _state_note() -> str:
    return (
        "layers that keep their state take it from the inputs named <layer>_state_..._in and give it as <layer>_state_..._out: "
        "edgekit.load(...).stream() carries them from call to call"
    )


def _may_be_theano(layers: list[Layer], provenance: Provenance) -> bool:
    first = any(layer.settings.get("data_format") == "channels_first" for layer in layers)
    return first and provenance.major == 1 and not provenance.backend


def _theano_note() -> str:
    return (
        "the file is of Keras 1 and does not say its backend; the kernels are taken as TensorFlow's. If Theano trained "
        "them, convert them with Keras's convert_all_kernels_in_model first"
    )
