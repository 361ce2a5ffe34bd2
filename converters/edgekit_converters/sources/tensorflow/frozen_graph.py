"""A frozen graph (``.pb``), whose inputs are its placeholders and whose outputs nothing consumes. Runs in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import SourceError, UnsupportedLayerError
from edgekit_converters.sources.tensorflow.function import Function, check_operators, endpoint

if TYPE_CHECKING:
    import tensorflow as tf

_INPUTS = ("Placeholder", "PlaceholderWithDefault")
_NO_OUTPUT = frozenset({"Assert", "NoOp", "Const", "SaveV2", "RestoreV2", "Print", *_INPUTS})
_VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})


def load_frozen_graph(path: Path) -> Function:
    """Raises SourceError and its kind."""
    import tensorflow as tf

    graph = _parse(path)
    check_operators(graph, str(path))
    inputs = [f"{node.name}:0" for node in graph.node if node.op in _INPUTS]
    outputs = [f"{name}:0" for name in _ends(graph)]
    if not inputs or not outputs:
        raise SourceError(
            f"{path} has {len(inputs)} inputs (placeholders) and {len(outputs)} outputs; expected at least one"
        )
    try:
        wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
        pruned = wrapped.prune(inputs, outputs)
    except ValueError as error:
        raise UnsupportedLayerError(f"{path}: {' '.join(str(error).split())[:300]}") from error
    names = [name.partition(":")[0] for name in inputs]
    results = [name.partition(":")[0] for name in outputs]

    def call(feeds: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        return dict(zip(results, pruned(*(feeds[name] for name in names)), strict=True))

    return Function(
        tuple(endpoint(name, tensor) for name, tensor in zip(names, pruned.inputs, strict=True)),
        tuple(endpoint(name, tensor) for name, tensor in zip(results, pruned.outputs, strict=True)),
        call,
        graph,
    )


def _parse(path: Path) -> Any:
    import tensorflow as tf
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs

    try:
        graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    except DecodeError as error:
        raise SourceError(f"{path} is no frozen TensorFlow graph or is damaged: {error}") from error
    if not graph.node:
        raise SourceError(f"{path} is no frozen TensorFlow graph: it has no nodes. Of a SavedModel, give the folder.")
    variables = [node.name for node in graph.node if node.op in _VARIABLES]
    if variables:
        raise SourceError(
            f"{path} is not frozen: it has variables ({', '.join(variables[:3])}) whose values lie elsewhere. Freeze it, or "
            "give the SavedModel."
        )
    return graph


def _ends(graph: Any) -> list[str]:
    consumed = {source.lstrip("^").partition(":")[0] for node in graph.node for source in node.input}
    return [node.name for node in graph.node if node.name not in consumed and node.op not in _NO_OUTPUT]
