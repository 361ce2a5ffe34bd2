"""What must hold before a parsed ModelProto is used: it is a complete inference model and its tensors have their bytes."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx_ir as ir

from edgekit.errors import SourceError, UnsupportedLayerError


def check_model(proto: onnx.ModelProto, path: Path) -> None:
    """Raises SourceError when the message is not an inference model or a stored tensor lacks bytes."""
    graph = proto.graph
    if not proto.HasField("graph") or not (graph.node or graph.output):
        raise SourceError(f"{path} is not an ONNX model: it has no graph. Expected the output of an ONNX exporter.")
    if not graph.output:
        kind = "a training-only model" if proto.training_info else "a graph without outputs"
        raise SourceError(f"{path} holds {kind}; expected a network that computes something. Export it for inference.")
    if not any(entry.domain in ("", "ai.onnx") for entry in proto.opset_import):
        raise SourceError(
            f"{path} does not say which opset of the default domain it uses (opset_import), so that the meaning of its "
            "operators is unknown. Export it again."
        )
    _check_text(graph, path)
    for name, tensor in _stored_tensors(graph):
        _check_size(tensor, name, path)


def check_values(model: ir.Model, path: Path) -> None:
    """Raises SourceError for a value that is read but made by nobody, and UnsupportedLayerError for an unknown operator."""
    functions = set(model.functions)
    for graph in model.graphs():
        for value in graph.outputs:
            if not _is_made(value):
                raise SourceError(
                    f"{path}: nothing makes the output {value.name!r}. The file is damaged; export it again."
                )
        for node in graph:
            for source in node.inputs:
                if source is not None and not _is_made(source):
                    raise SourceError(
                        f"{path}: node {node.name!r} ({node.op_type}) reads {source.name!r}, which nothing makes. "
                        "The file is damaged; export it again."
                    )
            if node.op_identifier() not in functions and node.domain == "":
                _check_known(node, model.graph.opset_imports[""], path)


def _is_made(value: ir.Value) -> bool:
    return value.producer() is not None or value.is_graph_input() or value.is_initializer()


def _check_known(node: ir.Node, opset: int, path: Path) -> None:
    if onnx.defs.has(node.op_type) or node.op_type in _WITHOUT_SCHEMA:
        return
    known = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    near = difflib.get_close_matches(node.op_type, known, n=1)
    hint = f" Did its author mean {near[0]}?" if near else ""
    raise UnsupportedLayerError(
        f"{path}: node {node.name!r} uses {node.op_type}, which is no operator of ONNX (opset {opset}).{hint} "
        "Export the model with standard operators."
    )


def _check_text(graph: onnx.GraphProto, path: Path) -> None:
    """Names that are no UTF-8 come out of protobuf as bytes."""
    texts = [item.name for item in (*graph.input, *graph.output, *graph.initializer)]
    for node in graph.node:
        texts += [node.name, node.op_type, node.domain, *node.input, *node.output]
        for attribute in node.attribute:
            texts.append(attribute.name)
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                _check_text(inner, path)
    for text in texts:
        if not isinstance(text, str):
            raise SourceError(f"{path} is damaged: the name {text!r} in it is no text. Export or download it again.")


def _stored_tensors(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield f"{node.name or node.op_type}.{attribute.name}", attribute.t
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _stored_tensors(inner)


def _check_size(tensor: onnx.TensorProto, name: str, path: Path) -> None:
    """Before anything is allocated: the dimensions agree with the bytes that are there."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        _check_numbers(tensor, name, path)
        return
    if tensor.data_type not in onnx.TensorProto.DataType.values() or tensor.data_type == onnx.TensorProto.UNDEFINED:
        raise SourceError(f"{path}: the tensor {name!r} has the unknown type {tensor.data_type}. The file is damaged.")
    if any(dim < 0 for dim in tensor.dims):
        raise SourceError(f"{path}: the tensor {name!r} has the shape {list(tensor.dims)}. The file is damaged.")
    if not tensor.HasField("raw_data"):
        return
    expected = nbytes(tensor.data_type, math.prod(tensor.dims))
    if expected is not None and expected != len(tensor.raw_data):
        raise SourceError(
            f"{path}: the tensor {name!r} of shape {list(tensor.dims)} should have {expected} bytes but has "
            f"{len(tensor.raw_data)}. The file is damaged; export or download it again."
        )


def _check_numbers(tensor: onnx.TensorProto, name: str, path: Path) -> None:
    for entry in tensor.external_data:
        if entry.key in ("offset", "length") and not entry.value.isdecimal():
            raise SourceError(
                f"{path}: the {entry.key} of the external data of {name!r} is {entry.value!r}; expected a number of bytes. "
                "The file is damaged; export it again."
            )


def nbytes(data_type: int, count: int) -> int | None:
    """Bytes of ``count`` packed elements; None for types without a fixed size."""
    try:
        bits: int = ir.DataType(data_type).bitwidth
    except (TypeError, ValueError):
        return None
    return (count * bits + 7) // 8


_WITHOUT_SCHEMA = frozenset({"SimplifiedLayerNormalization"})
"""Operators that ONNX Runtime's tools write into the default domain."""
