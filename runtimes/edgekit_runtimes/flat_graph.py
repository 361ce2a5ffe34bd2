"""What a TFLite file says of its own tensors and operators, in the words of the interpreter's lists.

For engines that tell less of an opened file than `edgekit_runtimes.interpreter.Interpreter` does.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.errors import ArtifactError
from edgekit_runtimes.interpreter_placement import OpDetails
from edgekit_runtimes.tensor_specs import TensorDetails
from edgekit_runtimes.tflite_cuts import main_graph, one_op


@dataclass(frozen=True, slots=True)
class FlatGraph:
    """The first subgraph of a file. ``dtypes``: as `place` takes them; ``constants``: tensors with data of their own."""

    inputs: tuple[TensorDetails, ...]
    outputs: tuple[TensorDetails, ...]
    signatures: Mapping[str, Mapping[str, Mapping[str, int]]]
    ops: tuple[OpDetails, ...]
    dtypes: Mapping[int, str]
    constants: frozenset[int]


def read_graph(content: bytes, schema: Any, file: str) -> FlatGraph:
    """Read with ``schema``, the module that flatbuffers generates of TensorFlow Lite's schema. Raises ArtifactError."""
    if content[4:8] != b"TFL3":
        raise ArtifactError(f"{file} is not a TFLite file: its bytes 4 to 8 are {content[4:8]!r}; expected b'TFL3'")
    try:
        return _read(schema.Model.GetRootAs(content), schema)
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise ArtifactError(f"{file} is a damaged .tflite file: its tables do not lead to one another") from error


def alone(content: bytes, graph: FlatGraph, position: int) -> bytes:
    """The file with the op at that position alone; what an engine says of it is said of this op."""
    op = graph.ops[position]
    inputs = (int(tensor) for tensor in op["inputs"])
    variables = dict.fromkeys(tensor for tensor in inputs if tensor >= 0 and tensor not in graph.constants)
    whole = content if op["op_name"] in _WITH_INNER_GRAPHS else main_graph(content)
    return one_op(whole, position, tuple(variables))


_WITH_INNER_GRAPHS = frozenset({"WHILE", "IF", "CALL", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_COMPOSITE"})


def _read(model: Any, schema: Any) -> FlatGraph:
    graph = model.Subgraphs(0)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    tensors = [_tensor(graph.Tensors(index), index) for index in range(graph.TensorsLength())]
    filled = [_filled(model, graph.Tensors(index)) for index in range(graph.TensorsLength())]
    return FlatGraph(
        inputs=tuple(tensors[graph.Inputs(n)] for n in range(graph.InputsLength())),
        outputs=tuple(tensors[graph.Outputs(n)] for n in range(graph.OutputsLength())),
        signatures=dict(_signature(model.SignatureDefs(n)) for n in range(model.SignatureDefsLength())),
        ops=tuple(_op(model, graph.Operators(n), names) for n in range(graph.OperatorsLength())),
        dtypes={index: _stored_as(graph.Tensors(index), tensor) for index, tensor in enumerate(tensors)},
        constants=frozenset(index for index, has_data in enumerate(filled) if has_data),
    )


def _tensor(tensor: Any, index: int) -> TensorDetails:
    shape = [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]
    signature = [tensor.ShapeSignature(axis) for axis in range(tensor.ShapeSignatureLength())]
    encoding = tensor.Quantization()
    single = encoding is not None and encoding.ScaleLength() == 1
    return {
        "name": (tensor.Name() or b"").decode(),
        "index": index,
        "shape": np.array(shape, np.int32),
        "shape_signature": np.array(signature or shape, np.int32),
        "dtype": _DTYPES.get(tensor.Type(), "object"),
        "quantization": (encoding.Scale(0), encoding.ZeroPoint(0)) if single else (0.0, 0),
    }


def _stored_as(tensor: Any, details: TensorDetails) -> str:
    return ("sparse " if tensor.Sparsity() else "") + str(details["dtype"])


def _filled(model: Any, tensor: Any) -> bool:
    return bool(model.Buffers(tensor.Buffer()).DataLength())


def _op(model: Any, operator: Any, names: Mapping[int, str]) -> OpDetails:
    code = model.OperatorCodes(operator.OpcodeIndex())
    custom = code.CustomCode()
    return {
        "op_name": custom.decode() if custom else names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())],
        "inputs": [operator.Inputs(n) for n in range(operator.InputsLength())],
        "outputs": [operator.Outputs(n) for n in range(operator.OutputsLength())],
    }


def _signature(definition: Any) -> tuple[str, Mapping[str, Mapping[str, int]]]:
    inputs = [definition.Inputs(n) for n in range(definition.InputsLength())]
    outputs = [definition.Outputs(n) for n in range(definition.OutputsLength())]
    sides = {
        side: {entry.Name().decode(): int(entry.TensorIndex()) for entry in entries}
        for side, entries in (("inputs", inputs), ("outputs", outputs))
    }
    return (definition.SignatureKey() or b"").decode(), sides


_DTYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    8: "complex64",
    9: "int8",
    10: "float64",
    12: "uint64",
    15: "uint32",
    16: "uint16",
}
"""numpy's names of the schema's TensorType; strings, resources and variants have none."""
