"""`read_keras`: a Keras file becomes a hub, by calling the rule of each layer in the order of the model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import onnx
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgekit.artifact import State
from edgekit.errors import EdgekitError, SourceError, UnsupportedLayerError
from edgekit.protocols import ReadOptions
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import Hub
from edgekit_converters.sources.keras.archive import Provenance, opened
from edgekit_converters.sources.keras.call import LayerCall, Operand, Shared
from edgekit_converters.sources.keras.config import parse_model, way_out
from edgekit_converters.sources.keras.graph import Argument, Call, Layer, Literal, Model, Ref
from edgekit_converters.sources.keras.names import input_dtype, output_names
from edgekit_converters.sources.keras.notes import notes_on
from edgekit_converters.sources.keras.table import rules
from edgekit_converters.sources.keras.value import Value
from edgekit_converters.sources.keras.weights import Weights, load_weights

_BATCH = "batch"
_BEFORE_THE_NETWORK = (
    *("CategoryEncoding", "Discretization", "FeatureSpace", "HashedCrossing", "Hashing", "IntegerLookup"),
    *("MelSpectrogram", "STFTSpectrogram", "StringLookup", "TextVectorization"),
)
_WRONG_CONFIGURATION = (ValueError, TypeError, KeyError, IndexError, OverflowError, ArithmeticError)


def read_keras(path: Path, options: ReadOptions) -> Hub:
    """The hub of a `.keras` or whole-model `.h5` file. Raises SourceError and its kinds."""
    with opened(path) as archive:
        model = parse_model(archive.config)
        _refuse_unknown(model)
        weights = load_weights(archive, model)
        provenance = archive.provenance
    graph = GraphBuilder(model.name or path.stem)
    reader = _Reader(graph, weights, provenance, Shared())
    feeds = [_input(graph, model.layers[name], options, len(model.inputs)) for name in model.inputs]
    results = reader.run(model, feeds)
    for name, value in zip(output_names(model), results, strict=True):
        graph.output(value.plain, name)
    for name, state in reader.shared.carried.items():
        graph.output(state, name)
    hub = graph.build("keras", path, notes_on(model, provenance))
    states = tuple(State(name.removesuffix("_out") + "_in", name) for name in reader.shared.carried)
    return replace(hub, model=RemoveUnusedNodesPass()(hub.model).model, states=states)


def _refuse_unknown(model: Model) -> None:
    """Refuse every layer without a rule, before any work is done."""
    for layer in model.layers.values():
        if layer.model is not None:
            _refuse_unknown(layer.model)
            continue
        if layer.kind != "InputLayer" and layer.kind not in rules():
            raise UnsupportedLayerError(f"layer {layer.path!r} is of class {layer.kind}, {_reason(layer.kind)}")
        if layer.wrapped is not None:
            _refuse_unknown(Model("", {layer.wrapped.name: layer.wrapped}, (), (), (), sequential=True))


def _reason(kind: str) -> str:
    if kind in _BEFORE_THE_NETWORK:
        return (
            "which prepares data for the network and can't run on a device without TensorFlow. Do that in your own code and "
            "save the model behind it: keras.Model(layer.output, model.output)"
        )
    return f"for which the Keras reader has no rule. docs/sources/keras.md lists those it has. {way_out(kind)}"


def _input(graph: GraphBuilder, layer: Layer, options: ReadOptions, count: int) -> Value:
    """A model input: the batch is symbolic, other sizes are the file's or the user's."""
    given = options.input_shapes.get(layer.name) or (options.input_shapes.get("") if count == 1 else None)
    declared = layer.shape or ((None,) * len(given) if given else None)
    if declared is None:
        raise SourceError(
            f"the file does not say the shape of input {layer.name!r}. Give it with --input-shape, batch first, or call the "
            "model once before saving it."
        )
    if given is not None and len(given) != len(declared):
        raise SourceError(f"input {layer.name!r} has shape {declared}; the {len(given)} sizes {given} don't fit it")
    shape: list[int | str] = [_BATCH]
    for axis in range(1, len(declared)):
        size = declared[axis]
        if given is not None and size is not None and given[axis] not in (size, -1):
            raise SourceError(f"input {layer.name!r} has shape {declared}; the given shape {given} differs from it")
        wanted = given[axis] if given is not None and given[axis] > 0 else size
        shape.append(wanted if wanted is not None else f"{layer.name}_{axis}")
    made = graph.input(layer.name, input_dtype(layer), shape)
    return Value(graph, {tuple(range(len(shape))): made})


@dataclass(frozen=True, slots=True)
class _Reader:
    graph: GraphBuilder
    weights: Weights
    provenance: Provenance
    shared: Shared

    def run(self, model: Model, feeds: Sequence[Value]) -> list[Value]:
        """The outputs of a model for these inputs; nested models call it again."""
        if len(feeds) != len(model.inputs):
            raise SourceError(f"model {model.name!r} takes {len(model.inputs)} inputs but is called with {len(feeds)}")
        known = {Ref(name, 0, 0): value for name, value in zip(model.inputs, feeds, strict=True)}
        waiting = list(model.calls)
        while waiting:
            blocked = []
            for call in waiting:
                if all(ref in known for ref in call.refs()):
                    results = self._results(model.layers[call.layer], call, known)
                    known.update((Ref(call.layer, call.number, index), value) for index, value in enumerate(results))
                else:
                    blocked.append(call)
            if len(blocked) == len(waiting):
                raise SourceError(
                    f"layer {waiting[0].layer!r} of model {model.name!r} waits for tensors that nothing makes"
                )
            waiting = blocked
        if missing := [ref for ref in model.outputs if ref not in known]:
            raise SourceError(f"model {model.name!r} has the output {missing[0]}, which nothing makes")
        return [known[ref] for ref in model.outputs]

    def _results(self, layer: Layer, call: Call, known: Mapping[Ref, Value]) -> list[Value]:
        arguments = tuple(_operand(item, known) for item in call.arguments)
        keywords = {key: _operand(item, known) for key, item in call.keywords.items()}
        return self.apply(layer, arguments, keywords)

    def apply(self, layer: Layer, arguments: tuple[Operand, ...], keywords: Mapping[str, Operand]) -> list[Value]:
        """The outputs of one call of a layer or nested model."""
        weights = self.weights.get(layer.path, {})
        site = LayerCall(self.graph, layer, weights, arguments, keywords, self.provenance, self.apply, self.shared)
        if layer.model is not None:
            return self.run(layer.model, site.inputs)
        try:
            _check_rank(site)
            found = rules()[layer.kind].emit(site)
        except EdgekitError:
            raise
        except _WRONG_CONFIGURATION as error:
            raise SourceError(f"layer {layer.path!r} ({layer.kind}) can't be read: {error}") from error
        except onnx.shape_inference.InferenceError as error:
            raise SourceError(f"layer {layer.path!r} ({layer.kind}) does not fit its input: {error}") from error
        results = [found] if isinstance(found, Value) else list(found)
        masks = rules()[layer.kind].masks(site) if layer.is_layer else ()
        return [value.masked(mask) for value, mask in zip_longest(results, masks[: len(results)])]


def _check_rank(call: LayerCall) -> None:
    """Layers of one, two or three spatial axes take a batch and channels besides."""
    spatial = re.search(r"([123])D(Transpose)?$", call.layer.kind)
    if not spatial or not call.inputs:
        return
    axes = int(spatial[1]) + (3 if call.layer.kind.startswith("ConvLSTM") else 2)
    if call.inputs[0].rank != axes:
        raise ValueError(f"it takes {axes} axes, batch and channels included, but gets {call.inputs[0].rank}")


def _operand(argument: Argument, known: Mapping[Ref, Value]) -> Operand:
    if isinstance(argument, Ref):
        return known[argument]
    if isinstance(argument, Literal):
        return argument.value
    return tuple(_operand(item, known) for item in argument.items)
