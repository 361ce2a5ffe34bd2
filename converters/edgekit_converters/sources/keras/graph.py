"""What a Keras file describes, in one form for all of its dialects: models, layers and the calls that connect them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from edgekit_converters.sources.keras.settings import Settings


@dataclass(frozen=True, slots=True)
class Ref:
    """One output tensor of one call of a layer."""

    layer: str
    call: int
    output: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant among a call's arguments: numbers, nested tuples of numbers, texts, slices."""

    value: object


@dataclass(frozen=True, slots=True)
class Group:
    """A list or tuple among a call's arguments that holds at least one tensor."""

    items: tuple[Argument, ...]


Argument: TypeAlias = "Ref | Literal | Group"


@dataclass(frozen=True, slots=True)
class Call:
    """A layer applied to tensors; ``number`` counts the calls of that layer."""

    layer: str
    number: int
    arguments: tuple[Argument, ...]
    keywords: Mapping[str, Argument]

    def refs(self) -> Iterator[Ref]:
        for argument in (*self.arguments, *self.keywords.values()):
            yield from refs_of(argument)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer. ``kind`` is its class in Keras 3's words, with "ops." or "tf." before it for an operation that is no layer.

    ``path`` is the layer's name behind those of the models that hold it. ``model`` is set for a nested model, ``wrapped`` for
    a wrapper such as TimeDistributed. ``shape`` is the input shape it declares, batch first, None for an unknown size.
    """

    kind: str
    name: str
    path: str
    settings: Settings
    trainable: bool = True
    model: Model | None = None
    wrapped: Layer | None = None
    shape: tuple[int | None, ...] | None = None

    @property
    def is_layer(self) -> bool:
        return not self.kind.startswith("ops.")

    @property
    def keeps_states(self) -> bool:
        """Whether it, or a layer within it, is stateful."""
        return _is_stateful(self.settings.values)


@dataclass(frozen=True, slots=True)
class Model:
    """Layers and calls; ``inputs`` are names of InputLayers."""

    name: str
    layers: Mapping[str, Layer]
    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[Ref, ...]
    sequential: bool


def all_layers(model: Model) -> Iterator[Layer]:
    """The layers of a model and of the models within it."""
    for layer in model.layers.values():
        yield layer
        if layer.model is not None:
            yield from all_layers(layer.model)


def _is_stateful(config: Mapping[str, object]) -> bool:
    inner = (value for value in config.values() if isinstance(value, Mapping))
    return config.get("stateful") is True or any(_is_stateful(value) for value in inner)


def refs_of(argument: Argument) -> Iterator[Ref]:
    """All tensors of an argument, from left to right."""
    if isinstance(argument, Ref):
        yield argument
    elif isinstance(argument, Group):
        for item in argument.items:
            yield from refs_of(item)


def renumbered(argument: Argument, layers: frozenset[str]) -> Argument:
    """The argument with the calls of ``layers`` counted one lower."""
    if isinstance(argument, Ref) and argument.layer in layers:
        return Ref(argument.layer, argument.call - 1, argument.output)
    if isinstance(argument, Group):
        return Group(tuple(renumbered(item, layers) for item in argument.items))
    return argument
