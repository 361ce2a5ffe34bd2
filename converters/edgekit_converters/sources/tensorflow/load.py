"""From a SavedModel or frozen graph to a `Function`. Runs in a child process."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import SourceError, UnsupportedLayerError
from edgekit_converters.sources.tensorflow.frozen_graph import load_frozen_graph
from edgekit_converters.sources.tensorflow.function import Function, check_operators, endpoint

if TYPE_CHECKING:
    import tensorflow as tf

_DEFAULT = "serving_default"


def load(path: Path) -> Function:
    """Raises SourceError and its kind."""
    if path.is_file():
        return load_frozen_graph(path)
    model, folder = _restore(path)
    signatures = {key: model.signatures[key] for key in model.signatures} if hasattr(model, "signatures") else {}
    if signatures:
        chosen = _choose(list(signatures), path)
        function = _from_signature(signatures[chosen], f"{path} (signature {chosen!r})")
    else:
        function = _from_call(model, path)
    folder.cleanup()
    return function


def _restore(path: Path) -> tuple[Any, tempfile.TemporaryDirectory[str]]:
    """The model restored without its optimizer, whose class a SavedModel does not hold (``add_slot`` fails)."""
    import tensorflow as tf
    from google.protobuf import text_format  # type: ignore[import-untyped]  # no stubs
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        if (path / "saved_model.pb").is_file():
            proto = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        else:
            proto = text_format.Parse((path / "saved_model.pbtxt").read_text(), saved_model_pb2.SavedModel())
    except (DecodeError, text_format.ParseError) as error:
        raise SourceError(f"{path}: its saved_model.pb is damaged ({error}). Save or copy the model again.") from error
    for graph in proto.meta_graphs:
        check_operators(graph.graph_def, str(path))
        for node in graph.object_graph_def.nodes:
            del node.slot_variables[:]
    folder = tempfile.TemporaryDirectory()
    Path(folder.name, "saved_model.pb").write_bytes(proto.SerializeToString())
    for part in ("variables", "assets"):
        if (path / part).exists():
            Path(folder.name, part).symlink_to((path / part).resolve())
    try:
        return tf.saved_model.load(folder.name, tags=_tags(proto)), folder
    except Exception as error:
        raise _load_error(error, path) from error


def _tags(proto: Any) -> list[str] | None:
    """None where there is one graph to load; of several, the one for serving."""
    return None if len(proto.meta_graphs) == 1 else ["serve"]


def _load_error(error: Exception, path: Path) -> SourceError:
    text = " ".join(str(error).split())
    if "not registered" in text:
        return UnsupportedLayerError(
            f"{path} uses an operator that TensorFlow itself does not have: {text[:200]}. Export the model without custom "
            "operators."
        )
    return SourceError(
        f"TensorFlow can't load {path}: {type(error).__name__}: {text[:300]}. Files may be missing or damaged; save it again."
    )


def _choose(names: list[str], path: Path) -> str:
    if _DEFAULT in names:
        return _DEFAULT
    if len(names) == 1:
        return names[0]
    raise SourceError(
        f"{path} has the signatures {', '.join(names)} and none is called {_DEFAULT!r}, so that it is open which one is meant. "
        f"Save it again with signatures={{{_DEFAULT!r}: ...}}."
    )


def _from_signature(function: Any, where: str) -> Function:
    """A signature takes and gives tensors by name."""
    frozen = _freeze(function)
    keywords = list(function._arg_keywords or ())
    names = keywords if len(keywords) == len(frozen.inputs) else sorted(function.structured_input_signature[1])
    outputs = sorted(function.structured_outputs)
    _check_count(names, frozen.inputs, outputs, frozen.outputs, where)
    return Function(
        tuple(endpoint(name, tensor) for name, tensor in zip(names, frozen.inputs, strict=True)),
        tuple(endpoint(name, tensor) for name, tensor in zip(outputs, frozen.outputs, strict=True)),
        lambda feeds: function(**feeds),
        _graph_of(frozen, where),
    )


def _from_call(model: Any, path: Path) -> Function:
    """Without signatures, the model called as a function: its trace for inference."""
    traces = getattr(getattr(model, "__call__", None), "concrete_functions", ())  # noqa: B004  # the saved function, not callability
    if not traces:
        raise SourceError(
            f"{path} has no signature and can't be called. Save it with tf.saved_model.save(model, path, signatures=...)."
        )
    traced = min(traces, key=_is_for_training)
    frozen = _freeze(traced)
    names = [tensor.name.partition(":")[0] for tensor in frozen.inputs]
    outputs = _output_names(traced.structured_outputs)
    _check_count(names, frozen.inputs, outputs, frozen.outputs, str(path))

    def call(feeds: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        import tensorflow

        results = tensorflow.nest.flatten(frozen(*(feeds[name] for name in names)))
        return dict(zip(outputs, results, strict=True))

    return Function(
        tuple(endpoint(name, tensor) for name, tensor in zip(names, frozen.inputs, strict=True)),
        tuple(endpoint(name, tensor) for name, tensor in zip(outputs, frozen.outputs, strict=True)),
        call,
        _graph_of(frozen, str(path)),
        ("the model has no signature; its trace for inference was taken",),
    )


def _is_for_training(traced: Any) -> bool:
    import tensorflow as tf

    return any(value is True for value in tf.nest.flatten(traced.structured_input_signature))


def _output_names(structure: Any) -> list[str]:
    if isinstance(structure, Mapping):
        return sorted(structure)
    if isinstance(structure, (tuple, list)):
        return [f"output_{index}" for index in range(len(structure))]
    return ["output"]


def _freeze(function: Any) -> Any:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function, lower_control_flow=False)


def _graph_of(frozen: Any, where: str) -> tf.compat.v1.GraphDef:
    graph = frozen.graph.as_graph_def()
    check_operators(graph, where)
    return graph


def _check_count(names: list[str], inputs: Any, outputs: list[str], results: Any, where: str) -> None:
    if (len(names), len(outputs)) != (len(inputs), len(results)):
        raise SourceError(
            f"{where} has inputs {names} and outputs {outputs}, but its graph {len(inputs)} and {len(results)}; nested "
            "structures are not supported. Save it with a signature of plain tensors."
        )
