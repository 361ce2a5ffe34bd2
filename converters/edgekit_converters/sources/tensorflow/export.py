"""From a `Function` to an ONNX file that was run and compared. Runs in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError, SourceError, UnsupportedLayerError
from edgekit.protocols import Progress
from edgekit_converters.sources.tensorflow.function import Endpoint, Function
from edgekit_converters.sources.tensorflow.load import load
from edgekit_converters.sources.tensorflow.repair import exportable
from edgekit_converters.sources.tensorflow.session import BATCH, TensorflowSession
from edgekit_converters.sources.trial import compare_with_original

if TYPE_CHECKING:
    from edgekit_converters.sources.tensorflow.requests import ExportRequest, FunctionRequest

_OPSET = 18
"""The newest that tf2onnx writes."""
_SAMPLES = 2


def export(request: ExportRequest, progress: Progress) -> tuple[str, ...]:
    """Write the function as ONNX; notes for the report. Raises SourceError where the file doesn't compute the same."""
    progress.stage("loading the model in TensorFlow")
    function = load(request.function.path)
    examples = _examples(function, request.function)
    progress.stage("exporting the model from TensorFlow to ONNX")
    _write(function, request)
    _check_operators(request)
    session = TensorflowSession(function)
    try:
        compare_with_original(request.onnx_path, session, examples, (None,))
    except EdgekitError as error:
        raise SourceError(f"{request.function.path}: {error}") from error
    except Exception as error:
        raise SourceError(
            f"{request.function.path}: tf2onnx wrote a graph that ONNX Runtime refuses: {' '.join(str(error).split())[:400]}"
        ) from error
    return (*function.notes, "exported by tf2onnx")


def _write(function: Function, request: ExportRequest) -> None:
    import tf2onnx

    ends = (*function.inputs, *function.outputs)
    try:
        tf2onnx.convert.from_graph_def(
            exportable(function.frozen),
            name="model",
            input_names=[end.tensor for end in function.inputs],
            output_names=[end.tensor for end in function.outputs],
            opset=_OPSET,
            tensors_to_rename={end.tensor: end.name for end in ends},
            output_path=str(request.onnx_path),
        )
    except Exception as error:  # tf2onnx raises anything
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise SourceError(f"{request.function.path}: tf2onnx can't export the graph: {reason}") from error
    _name_batch(function, request.onnx_path)


def _name_batch(function: Function, path: Path) -> None:
    """Give free dimensions the names of the reference's, in place; the batch is "batch"."""
    import onnx_ir as ir

    model = ir.load(path)
    session = TensorflowSession(function)
    specs = {spec.name: spec for spec in (*session.inputs, *session.outputs)}
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.name in specs:
            value.shape = ir.Shape(specs[value.name].shape)
    ir.save(model, path)


def _check_operators(request: ExportRequest) -> None:
    """tf2onnx leaves what it has no rule for in the graph, under TensorFlow's name, and succeeds."""
    import onnx
    import onnx_ir as ir

    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    nodes = ir.traversal.RecursiveGraphIterator(ir.load(request.onnx_path).graph)
    unknown = sorted({f"{node.op_type} ({node.name})" for node in nodes if node.op_type not in known or node.domain})
    if unknown:
        raise UnsupportedLayerError(
            f"{request.function.path}: there is no ONNX form of {', '.join(unknown[:5])}. Export the model without "
            f"{'it' if len(unknown) == 1 else 'them'}."
        )


def _examples(function: Function, request: FunctionRequest) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(0)
    examples: dict[str, NDArray[Any]] = {}
    for end in function.inputs:
        shape = _example_shape(end, request.options.input_shapes, request.path)
        if end.dtype.startswith("float"):
            examples[end.name] = random.standard_normal(shape).astype(end.dtype)
        elif end.dtype == "string":
            raise SourceError(
                f"{request.path}: the input {end.name!r} is text; only networks over numbers can be converted"
            )
        else:
            examples[end.name] = random.integers(0, 2, shape).astype(end.dtype)
    return examples


def _example_shape(end: Endpoint, given: Mapping[str, tuple[int, ...]], path: Path) -> tuple[int, ...]:
    wanted = given.get(end.name, given.get("", ()))
    sizes = list(end.shape)
    if sizes and sizes[0] is None:
        sizes[0] = _SAMPLES
    for axis, size in enumerate(sizes):
        if size is None and len(wanted) != len(sizes):
            raise SourceError(
                f"{path}: the input {end.name!r} has the shape {(BATCH, *end.shape[1:])}, with sizes left open. Give them with "
                f"--input-shape {end.name}=1,..."
            )
        sizes[axis] = wanted[axis] if size is None else size
    return tuple(int(size or 1) for size in sizes)
