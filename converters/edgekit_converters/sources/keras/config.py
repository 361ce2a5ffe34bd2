"""From the JSON of a Keras file to `Model`: Sequential and functional, of Keras 1, 2 and 3."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import pairwise

from edgekit.errors import SourceError, UnsupportedLayerError, UntrustedSourceError
from edgekit_converters.sources.keras.arguments import legacy_calls, modern_calls, tensor_refs
from edgekit_converters.sources.keras.dialect import modern
from edgekit_converters.sources.keras.graph import Call, Layer, Model, Ref, renumbered
from edgekit_converters.sources.keras.settings import Settings

_FUNCTIONAL = ("Functional", "Model", "Container")
_WRAPPERS = ("TimeDistributed", "SpectralNormalization")
WAY_OUT = "Export the model as a SavedModel (model.export) or as ONNX and convert that."
SAMPLING = (
    "If it draws the noise of a variational network, save the mean path, keras.Model(inputs, decoder(z_mean)), or one with the "
    "noise as an Input (docs/architectures/generative.md). Otherwise export"
)
_LARGEST_SIZE = 2**31 - 1


def way_out(kind: str) -> str:
    """What to do about a layer of the class ``kind``, which can't be read."""
    return WAY_OUT.replace("Export", SAMPLING, 1) if "sampl" in kind.lower() else WAY_OUT


def parse_model(raw: object) -> Model:
    """The whole model. Raises SourceError when it is neither Sequential nor functional, or is damaged."""
    entry = _mapping(raw, "the model's configuration")
    kind = entry.get("class_name")
    if kind != "Sequential" and kind not in _FUNCTIONAL:
        raise UnsupportedLayerError(
            f"the model is of class {kind!r}, whose code the file does not hold; readable are Sequential and functional "
            f"models. {WAY_OUT}"
        )
    try:
        return _model(entry, "")
    except RecursionError as error:
        raise SourceError("the model's configuration is nested too deeply to be read; the file is damaged") from error


def _model(entry: Mapping[str, object], prefix: str) -> Model:
    if entry["class_name"] == "Sequential":
        return _sequential(entry.get("config"), prefix)
    return _functional(_mapping(entry.get("config"), f"the configuration of model {_title(prefix)}"), prefix)


def _functional(config: Mapping[str, object], prefix: str) -> Model:
    entries = _entries(config.get("layers"), prefix)
    layers = _by_name((parse_layer(entry, prefix) for entry in entries), prefix)
    calls = tuple(
        call for layer, entry in zip(layers.values(), entries, strict=True) for call in _calls(layer, entry, layers)
    )
    inputs = tuple(ref.layer for ref in tensor_refs(config.get("input_layers"), "input_layers"))
    outputs = tensor_refs(config.get("output_layers"), "output_layers")
    if any(_is_modern(entry.get("inbound_nodes")) for entry in entries):
        outputs = _outputs_from_zero(outputs, layers)
    else:
        calls, outputs = _counted_from_zero(calls, outputs, layers)
    _check_references(calls, inputs, outputs, layers, prefix)
    return Model(str(config.get("name", "")), layers, calls, inputs, outputs, sequential=False)


def _sequential(config: object, prefix: str) -> Model:
    holder = config if isinstance(config, Mapping) else {"layers": config}
    layers = [parse_layer(entry, prefix) for entry in _entries(holder.get("layers"), prefix)]
    if not layers:
        raise SourceError(f"the Sequential model {_title(prefix)} has no layers; the file is damaged")
    if layers[0].kind != "InputLayer":
        shape = _first_shape(layers[0]) or _shape(holder.get("build_input_shape"))
        layers.insert(0, _input_layer(layers[0], prefix, shape))
    by_name = _by_name(layers, prefix)
    names = list(by_name)
    calls = tuple(Call(name, 0, (Ref(before, 0, 0),), {}) for before, name in pairwise(names))
    return Model(str(holder.get("name", "")), by_name, calls, (names[0],), (Ref(names[-1], 0, 0),), sequential=True)


def _input_layer(first: Layer, prefix: str, shape: tuple[int | None, ...] | None) -> Layer:
    """The input of a Sequential model that declares none, named as Keras names it."""
    name = f"{first.name}_input"
    dtype = first.settings.get("dtype") if first.model is None else None
    return Layer("InputLayer", name, prefix + name, Settings({"dtype": dtype}), shape=shape)


def parse_layer(entry: Mapping[str, object], prefix: str) -> Layer:
    """One layer. A nested model or a wrapped layer is parsed with it."""
    raw = _mapping(entry.get("config", {}), "a layer's configuration") if not _is_list_model(entry) else {}
    name = str(entry.get("name") or raw.get("name") or entry.get("class_name"))
    path = prefix + name
    kind = _kind(entry, raw, path)
    if kind == "Sequential" or kind in _FUNCTIONAL:
        model = dataclasses.replace(_model(entry, path + "/"), name=name)
        return Layer("Model", name, path, Settings({}), raw.get("trainable") is not False, model=model)
    kind, config = modern(kind, raw)
    if isinstance(policy := config.get("dtype"), Mapping) and "Quantized" in str(policy.get("class_name")):
        raise UnsupportedLayerError(f"layer {path!r} is already quantized by Keras; save the model before quantize()")
    layer = Layer(
        kind, name, path, Settings(config), config.get("trainable") is not False, shape=_declared_shape(config)
    )
    if kind in _WRAPPERS:
        inner = _mapping(config.get("layer"), f"the layer wrapped by {path!r}")
        return dataclasses.replace(layer, wrapped=parse_layer(inner, path + "/"))
    return layer


def _kind(entry: Mapping[str, object], config: Mapping[str, object], path: str) -> str:
    """The class; "ops." or "tf." stands before an operation that is no layer. Refuses code of the file's own."""
    kind = entry.get("class_name")
    if not isinstance(kind, str):
        raise SourceError(f"layer {path!r} has the class {kind!r}; expected a name. The file is damaged")
    if kind == "Lambda":
        raise UntrustedSourceError(
            f"layer {path!r} is a Lambda: Python code stored in the file, which edgekit does not run. {WAY_OUT}"
        )
    module = str(entry.get("module") or "")
    if ">" in kind or not _is_keras(module, entry.get("registered_name"), kind):
        raise UnsupportedLayerError(
            f"layer {path!r} is of the custom class {kind!r}, whose code the file does not hold. {way_out(kind)}"
        )
    if ".ops" in module or module.startswith("keras.src.activations") or _is_bare_operation(entry, config):
        return f"ops.{kind}"
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        return f"tf.{config.get('function')}"
    return kind


def _is_bare_operation(entry: Mapping[str, object], config: Mapping[str, object]) -> bool:
    """Keras 3 leaves the module out of `.h5` files; but only layers can be trained."""
    return _is_modern(entry.get("inbound_nodes")) and not {"trainable", "layers"} & config.keys()


def _is_keras(module: str, registered: object, kind: str) -> bool:
    if isinstance(registered, str) and ">" in registered:
        return False
    roots = ("keras", "tf_keras", "tensorflow")
    return not module or module.split(".")[0] in roots


def _calls(layer: Layer, entry: Mapping[str, object], layers: Mapping[str, Layer]) -> tuple[Call, ...]:
    nodes = entry.get("inbound_nodes", [])
    if not isinstance(nodes, list):
        raise SourceError(f"inbound_nodes of layer {layer.path!r} is {nodes!r}; expected a list. The file is damaged")
    if _is_modern(nodes):
        return modern_calls(layer.name, nodes)
    return legacy_calls(layer.name, nodes, frozenset(layers))


def _is_modern(nodes: object) -> bool:
    """Whether the inbound nodes have Keras 3's form."""
    return isinstance(nodes, list) and bool(nodes) and isinstance(nodes[0], Mapping) and "args" in nodes[0]


def _counted_from_zero(
    calls: tuple[Call, ...], outputs: tuple[Ref, ...], layers: Mapping[str, Layer]
) -> tuple[tuple[Call, ...], tuple[Ref, ...]]:
    """Count the calls of nested models from 0. Keras 1 and 2 count from 1, the model's own definition being call 0."""
    used = {ref for call in calls for ref in call.refs()} | set(outputs)
    from_zero = {ref.layer for ref in used if ref.call == 0}
    from_one = frozenset(name for name, layer in layers.items() if layer.model is not None and name not in from_zero)
    moved = tuple(
        dataclasses.replace(
            call,
            arguments=tuple(renumbered(item, from_one) for item in call.arguments),
            keywords={key: renumbered(item, from_one) for key, item in call.keywords.items()},
        )
        for call in calls
    )
    return moved, tuple(Ref(ref.layer, ref.call - (ref.layer in from_one), ref.output) for ref in outputs)


def _outputs_from_zero(outputs: tuple[Ref, ...], layers: Mapping[str, Layer]) -> tuple[Ref, ...]:
    """Keras 3 counts the calls of nested functional models from 0, except among a model's outputs, where it is from 1."""

    def offset(ref: Ref) -> int:
        nested = layers[ref.layer].model if ref.layer in layers else None
        return 1 if nested is not None and not nested.sequential and ref.call > 0 else 0

    return tuple(Ref(ref.layer, ref.call - offset(ref), ref.output) for ref in outputs)


def _check_references(
    calls: tuple[Call, ...], inputs: tuple[str, ...], outputs: tuple[Ref, ...], layers: Mapping[str, Layer], prefix: str
) -> None:
    count = dict.fromkeys(inputs, 1)
    for call in calls:
        count[call.layer] = count.get(call.layer, 0) + 1
    for ref in (*(ref for call in calls for ref in call.refs()), *outputs, *(Ref(name, 0, 0) for name in inputs)):
        if ref.layer not in layers or not 0 <= ref.call < count.get(ref.layer, 0):
            raise SourceError(
                f"model {_title(prefix)} refers to call {ref.call} of layer {ref.layer!r}, which it does not hold; "
                "the file is damaged"
            )
    if wrong := [name for name in inputs if layers[name].kind != "InputLayer"]:
        raise SourceError(
            f"input {wrong[0]!r} of model {_title(prefix)} is a {layers[wrong[0]].kind}, not an InputLayer"
        )


def _by_name(layers: Iterable[Layer], prefix: str) -> dict[str, Layer]:
    found: dict[str, Layer] = {}
    for layer in layers:
        if layer.name in found:
            raise SourceError(f"model {_title(prefix)} holds two layers named {layer.name!r}; the file is damaged")
        found[layer.name] = layer
    return found


def _entries(raw: object, prefix: str) -> list[Mapping[str, object]]:
    if not isinstance(raw, list):
        raise SourceError(f"model {_title(prefix)} has no list of layers; the file is damaged")
    return [_mapping(item, f"a layer of model {_title(prefix)}") for item in raw]


def _mapping(raw: object, what: str) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise SourceError(f"{what} is {str(raw)[:80]!r}; expected a mapping. The file is damaged")
    return raw


def _is_list_model(entry: Mapping[str, object]) -> bool:
    """A Sequential model of Keras 1 and early Keras 2, whose configuration is the list of its layers."""
    return entry.get("class_name") == "Sequential" and isinstance(entry.get("config"), list)


def _first_shape(layer: Layer) -> tuple[int | None, ...] | None:
    """Input shape that the first layer of a Sequential model declares, itself or, as a nested model, by its own input."""
    if layer.model is not None:
        return layer.model.layers[layer.model.inputs[0]].shape
    return layer.shape


def _declared_shape(config: Mapping[str, object]) -> tuple[int | None, ...] | None:
    return _shape(config.get("batch_shape")) or _shape(config.get("batch_input_shape"))


def _shape(raw: object) -> tuple[int | None, ...] | None:
    """A shape with the batch first; None where there is none. Raises SourceError for sizes no tensor can have."""
    if not isinstance(raw, list) or not raw or isinstance(raw[0], (list, Mapping)):
        return None
    for size in raw:
        if size is not None and (not isinstance(size, int) or not 1 <= size <= _LARGEST_SIZE):
            raise SourceError(f"a layer declares the input shape {raw}, which no tensor can have; the file is damaged")
    return tuple(raw)


def _title(prefix: str) -> str:
    return repr(prefix.rstrip("/")) if prefix else "at the top"
