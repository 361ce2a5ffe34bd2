"""Shapes of an ONNX file's values for a batch of 1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx

from edgekit.errors import EdgekitError
from edgekit.protocols import ReadOptions

Shapes = dict[str, tuple[int, ...]]


def shapes_for_one_sample(model: onnx.ModelProto, path: Path) -> Shapes:
    """Shape by value name, every open dimension taken as 1; values whose shape stays unknown are absent.

    Shapes that a file computes by nodes of its own (exporters write paddings so) are found by folding those nodes.
    """
    fixed = _with_inputs_of_one(model)
    shapes = _inferred(fixed)
    if any(name not in shapes for node in model.graph.node for name in node.output if name):
        shapes = _folded(fixed, path) | shapes
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}


def open_dimensions(model: onnx.ModelProto) -> tuple[str, ...]:
    """ "input: name" of each open dimension other than the batch."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return tuple(
        f"{value.name}: {dim.dim_param or axis}"
        for value in model.graph.input
        if value.name not in constants
        for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        if axis > 0 and not dim.HasField("dim_value")
    )


def _with_inputs_of_one(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with open input dimensions set to 1, and without the shapes that the file states and that may be stale."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    for value in fixed.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if not dim.HasField("dim_value") or dim.dim_value < 1:
                dim.dim_value = 1
    return fixed


def _inferred(fixed: onnx.ModelProto) -> Shapes:
    try:
        result = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        result = fixed
    values = [*result.graph.input, *result.graph.value_info, *result.graph.output]
    return {value.name: shape for value in values if (shape := _static(value)) is not None}


def _static(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    dims = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
    return None if any(dim < 0 for dim in dims) else tuple(dims)


def _folded(fixed: onnx.ModelProto, path: Path) -> Shapes:
    """Shapes in the hub of the file; its values keep their names. Empty where the reader does not take the file."""
    from edgekit_converters.hub.static import with_fixed_batch
    from edgekit_converters.sources.onnx import OnnxSource

    inputs: Mapping[str, tuple[int, ...]] = {
        value.name: shape for value in fixed.graph.input if (shape := _static(value)) is not None
    }
    try:
        hub = OnnxSource().read(path, ReadOptions())
        open_inputs = {
            spec.name: inputs[spec.name] for spec in hub.inputs if not all(isinstance(d, int) for d in spec.shape)
        }
        graph = with_fixed_batch(hub, 1, open_inputs).model.graph
    except EdgekitError:
        return {}
    values = [value for node in graph for value in node.outputs if value.name and value.shape is not None]
    return {
        str(value.name): tuple(int(dim) for dim in value.shape if isinstance(dim, int))
        for value in values
        if value.shape is not None and value.shape.is_static()
    }
