"""Contents of an ONNX file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types
from onnx import numpy_helper

from edgekit.artifact import TensorSpec
from edgekit.errors import ArtifactError
from edgekit_converters.inspection.contents import Contents, Node, Scheme, Tensor, unknown_macs_note
from edgekit_converters.inspection.onnx_macs import macs_of
from edgekit_converters.inspection.onnx_shapes import open_dimensions, shapes_for_one_sample


def inspect_onnx(path: Path) -> Contents:
    """Raises ArtifactError when the file is not ONNX."""
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError) as error:
        raise ArtifactError(f"{path} is not an ONNX file: {error}") from error
    if not model.HasField("graph") or not model.graph.node:
        raise ArtifactError(f"{path} is not an ONNX file: it holds no graph")
    graph = _Graph.of(model, path)
    nodes = tuple(_node(proto, graph) for proto in model.graph.node)
    learned = [graph.constants[name] for name in _learned(model, graph)]
    return Contents(
        file_format="onnx",
        size_bytes=path.stat().st_size + _external_bytes(model, path.parent),
        producer=" ".join(part for part in (model.producer_name, model.producer_version) if part),
        opset=next((entry.version for entry in model.opset_import if not entry.domain), 0),
        inputs=tuple(_spec(value) for value in model.graph.input if value.name not in graph.constants),
        outputs=tuple(_spec(value) for value in model.graph.output),
        nodes=nodes,
        tensors=_tensors(graph, _schemes(model, graph)),
        parameters=sum(math.prod(tensor.dims) for tensor in learned),
        weight_bytes=sum(_size_bytes(tensor) for tensor in learned),
        notes=(*unknown_macs_note(nodes), *_open_note(model)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Graph:
    """What the nodes need to know of values: constants, dtypes, and shapes with every open dimension taken as 1."""

    constants: Mapping[str, onnx.TensorProto]
    dtypes: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

    @staticmethod
    def of(model: onnx.ModelProto, path: Path) -> _Graph:
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                constants[node.output[0]] = node.attribute[0].t
        values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
        dtypes = {value.name: _dtype(value.type.tensor_type.elem_type) for value in values}
        dtypes |= {name: _dtype(tensor.data_type) for name, tensor in constants.items()}
        return _Graph(constants, dtypes, shapes_for_one_sample(model, path))


def _node(proto: onnx.NodeProto, graph: _Graph) -> Node:
    return Node(
        name=proto.name or (proto.output[0] if proto.output else ""),
        op=f"{proto.domain}.{proto.op_type}" if proto.domain not in ("", "ai.onnx") else proto.op_type,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        macs=macs_of(proto, graph.shapes),
    )


def _learned(model: onnx.ModelProto, graph: _Graph) -> Iterator[str]:
    """Constants with numbers that were learned: floats that are no scales, and integers that are dequantized."""
    encodings, dequantized = set(), set()
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            encodings |= set(node.input[1:])
            dequantized.add(node.input[0])
        elif node.op_type.startswith("QLinear") or node.op_type in ("QGemm", "ConvInteger", "MatMulInteger"):
            dequantized |= {name for name in node.input if len(graph.shapes.get(name, ())) > 1}
            encodings |= {name for name in node.input if graph.dtypes.get(name) == "float32"}
    for name in graph.constants:
        is_float = graph.dtypes[name] in ("float16", "float32", "float64", "bfloat16")
        if name not in encodings and (is_float or name in dequantized) and math.prod(graph.constants[name].dims) > 1:
            yield name


def _schemes(model: onnx.ModelProto, graph: _Graph) -> dict[str, Scheme]:
    """Scheme by value name: constants behind DequantizeLinear, activations before QuantizeLinear."""
    found: dict[str, Scheme] = {}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[1] in graph.constants:
            found[node.input[0]] = _scheme(node, graph)
    return found


def _scheme(node: onnx.NodeProto, graph: _Graph) -> Scheme:
    scales = numpy_helper.to_array(graph.constants[node.input[1]])
    zero_name = node.input[2] if len(node.input) > 2 else ""
    zeros = numpy_helper.to_array(graph.constants[zero_name]) if zero_name in graph.constants else np.zeros(1, np.int32)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    stored = node.input[0] if node.op_type == "DequantizeLinear" else zero_name
    return Scheme(
        dtype=graph.dtypes.get(stored, "uint8"),
        axis=axis if scales.ndim and scales.size > 1 else None,
        scales=int(scales.size),
        smallest_scale=float(scales.min()),
        largest_scale=float(scales.max()),
        smallest_zero_point=int(zeros.min()),
        largest_zero_point=int(zeros.max()),
    )


def _tensors(graph: _Graph, schemes: Mapping[str, Scheme]) -> tuple[Tensor, ...]:
    names = sorted({*graph.shapes, *schemes})
    return tuple(
        Tensor(
            name,
            graph.dtypes.get(name, "unknown"),
            graph.shapes.get(name, ()),
            name in graph.constants,
            schemes.get(name),
        )
        for name in names
    )


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    dims = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim)
    return TensorSpec(value.name, _dtype(tensor.elem_type), dims)


def _dtype(element_type: int) -> str:
    """numpy's name of an ONNX element type; ONNX's own in lower case where numpy has none."""
    if element_type == onnx.TensorProto.UNDEFINED:
        return "unknown"
    return str(onnx.helper.tensor_dtype_to_np_dtype(element_type))


def _size_bytes(tensor: onnx.TensorProto) -> int:
    elements: int = math.prod(tensor.dims)
    if tensor.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4):
        return (elements + 1) // 2
    itemsize: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return elements * itemsize


def _external_bytes(model: onnx.ModelProto, folder: Path) -> int:
    """Sizes of the data files beside the model; what lies outside its folder is not looked at."""
    names = {
        entry.value
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    files = [folder / name for name in names if Path(name).name == name]
    return sum(file.stat().st_size for file in files if file.is_file())


def _open_note(model: onnx.ModelProto) -> tuple[str, ...]:
    names = open_dimensions(model)
    return (f"open dimensions counted as 1: {', '.join(names)}",) if names else ()
