"""From a `FlatModel` to the bytes of a .tflite file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit_converters.quantize.params import QuantParams
from edgekit_converters.writers.tflite.flat_model import (
    BuiltinOptions,
    FlatModel,
    FlatOp,
    FlatTensor,
    Shape,
    SparseBlocks,
)
from edgekit_converters.writers.tflite.versions import op_version

Codes = dict[tuple[str, int], int]
"""Index of each operator code by builtin and version, in order of first use."""

SIGNATURE = "serving_default"
_LIMIT_BYTES = 2**31 - 1
_ALIGNMENT = 16  # the schema's force_align of Buffer.data, which Python's generated code does not apply
_SCHEMA_VERSION = 3
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "float64": schema.TensorType.FLOAT64,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "uint16": schema.TensorType.UINT16,
    "int32": schema.TensorType.INT32,
    "uint32": schema.TensorType.UINT32,
    "int64": schema.TensorType.INT64,
    "uint64": schema.TensorType.UINT64,
    "bool": schema.TensorType.BOOL,
}
# Operators whose options are defaults when an op function gives none: converters and compilers expect the table.
_DEFAULT_OPTIONS = {
    "ABS": "AbsOptions",
    "ADD": "AddOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "BROADCAST_TO": "BroadcastToOptions",
    "CAST": "CastOptions",
    "COS": "CosOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "DIV": "DivOptions",
    "EQUAL": "EqualOptions",
    "EXP": "ExpOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "FILL": "FillOptions",
    "FLOOR_DIV": "FloorDivOptions",
    "FLOOR_MOD": "FloorModOptions",
    "GATHER": "GatherOptions",
    "GATHER_ND": "GatherNdOptions",
    "GELU": "GeluOptions",
    "GREATER": "GreaterOptions",
    "GREATER_EQUAL": "GreaterEqualOptions",
    "HARD_SWISH": "HardSwishOptions",
    "LESS": "LessOptions",
    "LESS_EQUAL": "LessEqualOptions",
    "LOGICAL_AND": "LogicalAndOptions",
    "LOGICAL_NOT": "LogicalNotOptions",
    "LOGICAL_OR": "LogicalOrOptions",
    "LOG_SOFTMAX": "LogSoftmaxOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MUL": "MulOptions",
    "NEG": "NegOptions",
    "NOT_EQUAL": "NotEqualOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "POW": "PowOptions",
    "QUANTIZE": "QuantizeOptions",
    "RANGE": "RangeOptions",
    "REVERSE_V2": "ReverseV2Options",
    "SCATTER_ND": "ScatterNdOptions",
    "SELECT_V2": "SelectV2Options",
    "SIGN": "SignOptions",
    "SLICE": "SliceOptions",
    "SQUARE": "SquareOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
    "SUB": "SubOptions",
    "TILE": "TileOptions",
    "TOPK_V2": "TopKV2Options",
    "TRANSPOSE": "TransposeOptions",
    "WHERE": "WhereOptions",
    "WHILE": "WhileOptions",
}


def serialize(model: FlatModel) -> memoryview:
    """The file's bytes. Raises ConversionError when they exceed the format's 2 GB."""
    graphs = tuple(model.subgraphs())
    tensors = [_tensors_of(graph) for graph in graphs]
    constants = [tensor for tensor in itertools.chain(*tensors) if tensor.data is not None]
    size_bytes = sum(tensor.data.nbytes + 64 for tensor in constants if tensor.data is not None)
    if size_bytes > _LIMIT_BYTES:
        raise ConversionError(
            f"the model's constants take {size_bytes / 2**30:.1f} GiB; a .tflite file holds at most 2 GiB. "
            "Use a smaller precision (int8, int8-dynamic, float16) or split the model."
        )
    # The right size from the start: the builder would otherwise double its buffer, and copy the weights each time.
    counted = 512 * sum(map(len, tensors)) + 1024 * sum(len(graph.ops) for graph in graphs)
    builder = flatbuffers.Builder(size_bytes + counted + 65536)
    buffers = _buffers(builder, constants)
    place = {id(tensor): position for position, tensor in enumerate(constants, start=1)}
    codes: Codes = {}
    subgraphs = [_subgraph(graph, own, graphs, place, codes) for graph, own in zip(graphs, tensors, strict=True)]
    subgraphs[0].name = "main"
    signature = _signature(model, {id(tensor): position for position, tensor in enumerate(tensors[0])})
    root = _model(builder, [_operator_code(*code) for code in codes], subgraphs, signature, buffers)
    builder.Finish(root, b"TFL3")
    return memoryview(builder.Bytes)[builder.Head() :]


def _subgraph(
    graph: FlatModel, tensors: Sequence[FlatTensor], graphs: Sequence[FlatModel], place: dict[int, int], codes: Codes
) -> Any:
    index = {id(tensor): position for position, tensor in enumerate(tensors)}
    made = schema.SubGraphT()
    made.tensors = [_tensor(tensor, place.get(id(tensor), 0)) for tensor in tensors]
    made.inputs = [index[id(tensor)] for tensor in graph.inputs]
    made.outputs = [index[id(tensor)] for tensor in graph.outputs]
    made.operators = [_operator(op, codes, index, graphs) for op in graph.ops]
    return made


def _tensors_of(model: FlatModel) -> list[FlatTensor]:
    found: dict[int, FlatTensor] = {id(tensor): tensor for tensor in model.inputs}
    for op in model.ops:
        for tensor in (*op.inputs, *op.outputs, *op.intermediates):
            if tensor is not None:
                found[id(tensor)] = tensor
    found.update((id(tensor), tensor) for tensor in model.outputs)
    return list(found.values())


def _buffers(builder: Any, constants: Sequence[FlatTensor]) -> int:
    offsets = [_buffer(builder, None), *(_buffer(builder, tensor) for tensor in constants)]
    return _vector(builder, offsets)


def _buffer(builder: Any, tensor: FlatTensor | None) -> int:
    if tensor is None or tensor.data is None:
        schema.BufferStart(builder)
        return int(schema.BufferEnd(builder))
    data = np.ascontiguousarray(tensor.data).reshape(-1).view(np.uint8)
    builder.StartVector(1, data.size, _ALIGNMENT)
    builder.head -= data.size
    builder.Bytes[builder.head : builder.head + data.size] = data.data
    vector = builder.EndVector()
    schema.BufferStart(builder)
    schema.BufferAddData(builder, vector)
    return int(schema.BufferEnd(builder))


def _tensor(tensor: FlatTensor, buffer: int) -> Any:
    made = schema.TensorT()
    made.name = tensor.name
    made.shape = list(tensor.shape)
    made.type = _TYPES[tensor.dtype.name]
    made.buffer = buffer
    made.hasRank = True
    made.isVariable = tensor.variable
    if tensor.params is not None:
        made.quantization = _quantization(tensor.params)
    if tensor.sparse is not None:
        made.sparsity = _sparsity(tensor.shape, tensor.sparse)
    return made


def _sparsity(shape: Shape, sparse: SparseBlocks) -> Any:
    """Rows dense, blocks of columns compressed, the columns of a block dense."""
    made = schema.SparsityParametersT()
    made.traversalOrder, made.blockMap = np.arange(3, dtype=np.int32), np.array([1], np.int32)
    blocks = schema.DimensionMetadataT()
    blocks.format = schema.DimensionType.SPARSE_CSR
    blocks.arraySegmentsType, blocks.arraySegments = _indices(sparse.segments)
    blocks.arrayIndicesType, blocks.arrayIndices = _indices(sparse.indices)
    made.dimMetadata = [_dense_axis(shape[0]), blocks, _dense_axis(sparse.size)]
    return made


def _dense_axis(size: int) -> Any:
    made = schema.DimensionMetadataT()
    made.format, made.denseSize = schema.DimensionType.DENSE, size
    return made


def _indices(numbers: NDArray[np.int32]) -> tuple[int, Any]:
    """The narrowest of the schema's index vectors."""
    largest = int(numbers.max(initial=0))
    for name, dtype in (("Uint8Vector", np.uint8), ("Uint16Vector", np.uint16), ("Int32Vector", np.int32)):
        if largest <= np.iinfo(dtype).max:
            made = getattr(schema, name + "T")()
            made.values = numbers.astype(dtype)
            return int(getattr(schema.SparseIndexVector, name)), made
    raise AssertionError(f"{largest} is no int32")


def _quantization(params: QuantParams) -> Any:
    made = schema.QuantizationParametersT()
    made.scale = np.atleast_1d(params.scale).astype(np.float32)
    made.zeroPoint = np.atleast_1d(params.zero_point).astype(np.int64)
    made.quantizedDimension = params.axis or 0
    return made


def _operator_code(builtin: str, version: int) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(schema.BuiltinOperator, builtin)
    made.deprecatedBuiltinCode = min(made.builtinCode, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    made.version = version
    return made


def _operator(op: FlatOp, codes: Codes, index: dict[int, int], graphs: Sequence[FlatModel]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = codes.setdefault((op.builtin, op_version(op)), len(codes))
    made.inputs = [-1 if tensor is None else index[id(tensor)] for tensor in op.inputs]
    made.outputs = [index[id(tensor)] for tensor in op.outputs]
    if op.intermediates:
        made.intermediates = [index[id(tensor)] for tensor in op.intermediates]
    table = op.options.table if op.options is not None else _DEFAULT_OPTIONS.get(op.builtin)
    if table is not None:
        made.builtinOptionsType = getattr(schema.BuiltinOptions, table)
        made.builtinOptions = _options(op.options or BuiltinOptions(table))
    for name, inner in op.subgraphs.items():
        setattr(made.builtinOptions, name, graphs.index(inner))
    return made


def _options(options: BuiltinOptions) -> Any:
    made = getattr(schema, options.table + "T")()
    for name, value in options.fields.items():
        if not hasattr(made, name):
            raise AttributeError(f"the TFLite schema's {options.table} has no field {name!r}")
        setattr(made, name, value)
    return made


def _signature(model: FlatModel, index: dict[int, int]) -> Any:
    made = schema.SignatureDefT()
    made.signatureKey = SIGNATURE
    made.inputs = [_tensor_map(tensor, index) for tensor in model.inputs]
    made.outputs = [_tensor_map(tensor, index) for tensor in model.outputs]
    return made


def _tensor_map(tensor: FlatTensor, index: dict[int, int]) -> Any:
    made = schema.TensorMapT()
    made.name = tensor.name
    made.tensorIndex = index[id(tensor)]
    return made


def _model(builder: Any, codes: Sequence[Any], subgraphs: Sequence[Any], signature: Any, buffers: int) -> int:
    code_vector = _vector(builder, [code.Pack(builder) for code in codes])
    subgraph_vector = _vector(builder, [subgraph.Pack(builder) for subgraph in subgraphs])
    signature_vector = _vector(builder, [signature.Pack(builder)])
    description = builder.CreateString("edgekit")
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, _SCHEMA_VERSION)
    schema.ModelAddOperatorCodes(builder, code_vector)
    schema.ModelAddSubgraphs(builder, subgraph_vector)
    schema.ModelAddDescription(builder, description)
    schema.ModelAddBuffers(builder, buffers)
    schema.ModelAddSignatureDefs(builder, signature_vector)
    return int(schema.ModelEnd(builder))


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
