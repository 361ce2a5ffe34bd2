"""Contents of a TFLite file, read from its flatbuffer."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit.artifact import Quantization, TensorSpec
from edgekit.errors import ArtifactError
from edgekit_converters.inspection.contents import Contents, Node, Scheme, Tensor, unknown_macs_note
from edgekit_converters.inspection.tflite_macs import macs_of


def inspect_tflite(path: Path) -> Contents:
    """Raises ArtifactError when the file is not TFLite."""
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ArtifactError(f"{path} is not a TFLite file: its identifier is {content[4:8]!r}, expected b'TFL3'")
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        return _contents(model, len(content))
    except (struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is a damaged TFLite file: {error}") from error


def _contents(model: Any, size_bytes: int) -> Contents:
    main = model.subgraphs[0]
    nodes = tuple(node for graph in model.subgraphs for node in _nodes(graph, model))
    tensors = [(entry, _tensor(entry, model)) for graph in model.subgraphs for entry in graph.tensors]
    learned = [entry for entry, tensor in tensors if tensor.constant and _is_learned(entry, tensor)]
    names = _signature_names(model)
    more = len(model.subgraphs) - 1
    return Contents(
        file_format="tflite",
        size_bytes=size_bytes,
        producer=_text(model.description),
        opset=int(model.version),
        inputs=tuple(_spec(main.tensors[index], names.get(("in", int(index)))) for index in main.inputs),
        outputs=tuple(_spec(main.tensors[index], names.get(("out", int(index)))) for index in main.outputs),
        nodes=nodes,
        tensors=tuple(tensor for _, tensor in tensors),
        parameters=sum(math.prod(_shape(entry)) for entry in learned),
        weight_bytes=sum(_buffer_bytes(entry, model) for entry in learned),
        notes=(*unknown_macs_note(nodes), *((f"{more} subgraphs besides the main one",) if more else ())),
    )


def _nodes(graph: Any, model: Any) -> list[Node]:
    return [_node(position, op, graph, model) for position, op in enumerate(graph.operators or ())]


def _node(position: int, op: Any, graph: Any, model: Any) -> Node:
    code = model.operatorCodes[op.opcodeIndex]
    name = _op_name(code)
    inputs = [graph.tensors[index] if index >= 0 else None for index in _indices(op.inputs)]
    outputs = [graph.tensors[index] for index in _indices(op.outputs)]
    return Node(
        name=f"{name}:{position}",
        op=name,
        inputs=tuple(_text(entry.name) if entry else "" for entry in inputs),
        outputs=tuple(_text(entry.name) for entry in outputs),
        macs=macs_of(name, op.builtinOptions, [_shape(e) if e else () for e in inputs], [_shape(e) for e in outputs]),
    )


def _op_name(code: Any) -> str:
    """The builtin's name; files before schema 3a keep its number in the deprecated field."""
    number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
    if number == schema.BuiltinOperator.CUSTOM:
        return _text(code.customCode)
    return str(_BUILTINS.get(number, f"BUILTIN_{number}"))


_BUILTINS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_TYPES = {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}


def _tensor(entry: Any, model: Any) -> Tensor:
    constant = _buffer_bytes(entry, model) > 0
    return Tensor(_text(entry.name), _TYPES[entry.type], _shape(entry), constant, _scheme(entry))


def _is_learned(entry: Any, tensor: Tensor) -> bool:
    return math.prod(_shape(entry)) > 1 and (tensor.dtype.startswith(("float", "bfloat")) or tensor.scheme is not None)


def _scheme(entry: Any) -> Scheme | None:
    found = entry.quantization
    if found is None or found.scale is None or not len(found.scale):
        return None
    scales, zeros = np.asarray(found.scale), np.asarray(found.zeroPoint if found.zeroPoint is not None else [0])
    return Scheme(
        dtype=_TYPES[entry.type],
        axis=int(found.quantizedDimension) if len(scales) > 1 else None,
        scales=len(scales),
        smallest_scale=float(scales.min()),
        largest_scale=float(scales.max()),
        smallest_zero_point=int(zeros.min()),
        largest_zero_point=int(zeros.max()),
    )


def _spec(entry: Any, name: str | None) -> TensorSpec:
    scheme = _scheme(entry)
    quantization = None
    if scheme is not None and scheme.scales == 1:
        quantization = Quantization(scheme.largest_scale, scheme.largest_zero_point)
    return TensorSpec(name or _text(entry.name), _TYPES[entry.type], _shape(entry), quantization)


def _signature_names(model: Any) -> dict[tuple[str, int], str]:
    """Names that the first signature of the main graph gives to tensors."""
    for signature in model.signatureDefs or ():
        if signature.subgraphIndex == 0:
            named = {("in", int(entry.tensorIndex)): _text(entry.name) for entry in signature.inputs or ()}
            return named | {("out", int(entry.tensorIndex)): _text(entry.name) for entry in signature.outputs or ()}
    return {}


def _shape(entry: Any) -> tuple[int, ...]:
    return tuple(_indices(entry.shape))


def _buffer_bytes(entry: Any, model: Any) -> int:
    """Stored bytes; files beyond 2 GB keep them behind the flatbuffer, with offset and size."""
    buffer = model.buffers[entry.buffer]
    return len(buffer.data) if buffer.data is not None else int(getattr(buffer, "size", 0) or 0)


def _indices(values: Sequence[int] | None) -> Sequence[int]:
    """The reader gives None for an empty vector."""
    return [int(value) for value in values] if values is not None else []


def _text(value: bytes | str | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
