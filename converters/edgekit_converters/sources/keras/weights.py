"""Which array of the file is which weight of which layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit_converters.sources.keras.archive import Archive
from edgekit_converters.sources.keras.graph import Layer, Model
from edgekit_converters.sources.keras.hdf5 import array, names, subgroup
from edgekit_converters.sources.keras.old_kernels import modern_arrays
from edgekit_converters.sources.keras.table import NOT_TRAINED, rules

if TYPE_CHECKING:
    import h5py

Weights: TypeAlias = Mapping[str, Mapping[str, NDArray[Any]]]
"""Arrays by the path of a layer and their role in it."""


def load_weights(archive: Archive, model: Model) -> Weights:
    """The weights of all layers. Raises SourceError when some are missing or more than the layers take."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    if archive.provenance.zipped:
        _load_model(archive.weights, model, found)
    else:
        for layer in model.layers.values():
            _load_flat(archive.weights, layer, found)
    kinds = {layer.path: layer for layer in _leaves(model)}
    return {path: modern_arrays(kinds[path], arrays, archive.provenance) for path, arrays in found.items()}


def roles_of(layer: Layer) -> tuple[str, ...]:
    """The names of a layer's own weights; none for a layer that has no rule, which is refused when it is reached."""
    rule = rules().get(layer.kind)
    return rule.roles(layer.settings) if rule else ()


# --- .keras: a folder a layer, named after its class -----------------------------------------------------------------


def _load_model(group: h5py.Group, model: Model, found: dict[str, dict[str, NDArray[Any]]]) -> None:
    container = subgroup(group, "layers") or subgroup(group, "_layer_checkpoint_dependencies")
    layers = [layer for layer in model.layers.values() if layer.is_layer]
    if container is None:
        if any(roles_of(leaf) for layer in layers for leaf in _tree(layer)):
            raise SourceError(f"the weights of model {model.name!r} are missing in {group.name!r}; the file is damaged")
        return
    folders = _folders(container, layers, model.sequential)
    for layer in layers:
        folder = subgroup(container, folders[layer.name])
        if folder is not None:
            _load_layer(folder, layer, found)
        elif missing := [leaf.path for leaf in _tree(layer) if roles_of(leaf)]:
            raise SourceError(
                f"the weights of layer {missing[0]!r} are missing: there is no {container.name}/{folders[layer.name]}. "
                "A layer that two models of one file share is saved once; save the whole model from one of them."
            )


def _load_layer(folder: h5py.Group, layer: Layer, found: dict[str, dict[str, NDArray[Any]]]) -> None:
    if layer.model is not None:
        _load_model(folder, layer.model, found)
        return
    if layer.wrapped is not None:
        inner = subgroup(folder, "layer")
        if inner is None:
            raise SourceError(f"the weights of layer {layer.wrapped.path!r} are missing in {folder.name!r}")
        _load_layer(inner, layer.wrapped, found)
    if roles := roles_of(layer):
        found[layer.path] = _own_arrays(folder, layer, roles)


def _own_arrays(folder: h5py.Group, layer: Layer, roles: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The layer's arrays, numbered in the folder ``vars`` of the layer or of the part that stands before the role's name."""
    arrays: dict[str, NDArray[Any]] = {}
    for part, members in groupby(roles, key=lambda role: role.rpartition("/")[0]):
        wanted = list(members)
        variables = (
            subgroup(folder, f"{part}/vars") or subgroup(folder, f"_{part}/vars") if part else subgroup(folder, "vars")
        )
        if variables is None or len(variables) < len(wanted):
            raise SourceError(
                f"layer {layer.path!r} takes {len(wanted)} weights ({', '.join(wanted)}) but {folder.name!r} holds "
                f"{0 if variables is None else len(variables)}"
            )
        arrays.update((role, array(variables, str(index))) for index, role in enumerate(wanted))
    return arrays


def _folders(container: h5py.Group, layers: list[Layer], sequential: bool) -> dict[str, str]:
    """Folder by layer name: newer files write the name into the folder, in older ones the order of a class counts."""
    named = {}
    for folder in container:
        variables = subgroup(container, f"{folder}/vars")
        title = variables.attrs.get("name") if variables is not None else None
        if title is not None:
            named[title.decode() if isinstance(title, bytes) else str(title)] = folder
    if named:
        return {layer.name: named.get(layer.name, layer.name) for layer in layers}
    used: dict[str, int] = {}
    folders = {}
    step = 2 if container.name.endswith("_layer_checkpoint_dependencies") else 1  # Keras 2.12 lists such layers twice
    for layer in layers:
        if sequential and layer.kind == "InputLayer":
            continue
        kind = _snake_case(_class_name(layer))
        count = used.get(kind, 0)
        used[kind] = count + (step if any(roles_of(leaf) for leaf in _tree(layer)) else 1)
        folders[layer.name] = f"{kind}_{count}" if count else kind
    return {layer.name: folders.get(layer.name, layer.name) for layer in layers}


def _class_name(layer: Layer) -> str:
    if layer.model is not None:
        return "Sequential" if layer.model.sequential else "Functional"
    return layer.kind if not layer.kind.startswith("tf.") else "TFOpLambda"


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


# --- .h5: a group a layer of the outermost model, with a flat list of weights ----------------------------------------


@dataclass(frozen=True, slots=True)
class _Slot:
    path: str
    layer: str
    role: str
    trainable: bool


def _load_flat(group: h5py.Group, layer: Layer, found: dict[str, dict[str, NDArray[Any]]]) -> None:
    slots = list(_slots(layer, True))
    if not slots:
        return
    folder = subgroup(group, layer.name)
    if folder is None and layer.model is not None:  # Keras 1 lists the layers of nested Sequential models themselves
        for inner in layer.model.layers.values():
            _load_flat(group, inner, found)
        return
    weight_names = names(folder, "weight_names") if folder is not None else []
    if folder is None or len(weight_names) < len(slots):
        raise SourceError(
            f"layer {layer.path!r} takes {len(slots)} weights ({', '.join(slot.role for slot in slots)}) but the file holds "
            f"{len(weight_names)} for it"
        )
    nested = layer.model is not None or layer.wrapped is not None
    for slot, name in _matched(slots, weight_names, layer, nested):
        found.setdefault(slot.path, {})[slot.role] = array(folder, name)


def _matched(slots: list[_Slot], weight_names: list[str], layer: Layer, nested: bool) -> Iterator[tuple[_Slot, str]]:
    """By name where every name is clear, else by the order in which Keras writes them: trained weights first."""
    if not nested:
        return zip(slots, weight_names, strict=False)
    by_name = [_named(slot, weight_names) for slot in slots]
    if None not in by_name and len(set(by_name)) == len(slots):
        return ((slot, name) for slot, name in zip(slots, by_name, strict=True) if name is not None)
    if len(weight_names) != len(slots):
        raise SourceError(
            f"layer {layer.path!r} takes {len(slots)} weights but the file holds {len(weight_names)} for it"
        )
    return zip(sorted(slots, key=lambda slot: not slot.trainable), weight_names, strict=True)


def _named(slot: _Slot, weight_names: list[str]) -> str | None:
    """The only weight whose name ends in the slot's path, or in its layer's name, and its role."""
    for ending in (f"{slot.path}/{slot.role}", f"{slot.layer}/{slot.role}"):
        found = [name for name in weight_names if f"/{name}".removesuffix(":0").endswith(f"/{ending}")]
        if len(found) == 1:
            return found[0]
    return None


def _slots(layer: Layer, trainable: bool) -> Iterator[_Slot]:
    trainable = trainable and layer.trainable
    for inner in _children(layer):
        yield from _slots(inner, trainable)
    for role in roles_of(layer):
        yield _Slot(layer.path, layer.name, role, trainable and role not in NOT_TRAINED)


# --- both ------------------------------------------------------------------------------------------------------------


def _children(layer: Layer) -> tuple[Layer, ...]:
    if layer.model is not None:
        return tuple(layer.model.layers.values())
    return (layer.wrapped,) if layer.wrapped is not None else ()


def _tree(layer: Layer) -> Iterator[Layer]:
    yield layer
    for inner in _children(layer):
        yield from _tree(inner)


def _leaves(model: Model) -> Iterator[Layer]:
    for layer in model.layers.values():
        yield from _tree(layer)
