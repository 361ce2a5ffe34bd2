"""The integers inside a pair of int8 files: all intermediate tensors at once, and single ops alone.

A tensor is known by the name it has in the source model. In the ONNX file it is the output ``<name>/QuantizeLinear_out``, in the
TFLite file ``<name>``, with a suffix for each other layout and type. Integers are given as int8, rank 4 as NCHW.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int8]
Pair = dict[str, Integers]
_QUANTIZED = "/QuantizeLinear_out"


@dataclass(frozen=True, slots=True)
class OneOp:
    """An op of the network that both files compute in integers: its tensors by name, its place in the TFLite file."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    position: int


class OnnxTaps:
    """The ONNX file with the integers of its tensors as outputs, in ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        import onnx

        self._model = onnx.load(path)
        self._types = {
            node.output[0]: self._zero_point_type(node.input[2])
            for node in self._model.graph.node
            if node.op_type == "QuantizeLinear"
        }

    @property
    def names(self) -> list[str]:
        return [value.removesuffix(_QUANTIZED) for value in self._types]

    def all(self, feeds: Mapping[str, NDArray[Any]], names: Sequence[str]) -> Pair:
        """The tensors named, from one run of the whole network."""
        tapped = copy.deepcopy(self._model)
        del tapped.graph.output[:]
        tapped.graph.output.extend(self._value(name) for name in names)
        found = _session(tapped).run(None, dict(feeds))
        return {name: _signed(array) for name, array in zip(names, found, strict=True)}

    def one(self, op: OneOp, values: Mapping[str, Integers]) -> Integers:
        """The op alone: integers in, integers out."""
        import onnx

        names = [name + _QUANTIZED for name in op.inputs], [op.output + _QUANTIZED]
        model = onnx.utils.Extractor(self._with_types()).extract_model(*names)
        feeds = {
            value.name: _stored(values[name], self._types[value.name])
            for name, value in zip(op.inputs, model.graph.input, strict=True)
        }
        return _signed(_session(model).run(None, feeds)[0])

    def _with_types(self) -> Any:
        typed = copy.deepcopy(self._model)
        del typed.graph.value_info[:]
        typed.graph.value_info.extend(self._value(name) for name in self.names)
        return typed

    def _value(self, name: str) -> Any:
        import onnx

        return onnx.helper.make_tensor_value_info(name + _QUANTIZED, self._types[name + _QUANTIZED], None)

    def _zero_point_type(self, zero_point: str) -> int:
        [tensor] = [one for one in self._model.graph.initializer if one.name == zero_point]
        return int(tensor.data_type)


class TfliteTaps:
    """The TFLite file with its int8 tensors as outputs, in LiteRT with XNNPACK. ``known`` are the names in the ONNX file."""

    def __init__(self, path: Path, known: Sequence[str]) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
        self._graph = self._model.subgraphs[0]
        self._names = {
            index: _source_name(tensor.name.decode(), known)
            for index, tensor in enumerate(self._graph.tensors)
            if tensor.type == schema.TensorType.INT8 and self._is_activation(index)
        }

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(self._names.values()))

    def ops(self) -> Iterator[OneOp]:
        """Every op that computes integers from integers; not those that only move them."""
        for position, op in enumerate(self._graph.operators):
            inputs = self._inputs(op)
            output = self._names.get(op.outputs[0])
            if inputs and output is not None and output not in [self._names[index] for index in inputs]:
                yield OneOp(self._kind(op), tuple(self._names[index] for index in inputs), output, position)

    def all(self, feeds: Mapping[str, NDArray[Any]], names: Sequence[str]) -> Pair:
        """The tensors named, from one run of the whole network, whose one delegate partition they leave as it is."""
        model = copy.deepcopy(self._model)
        last = {name: index for index, name in self._names.items()}
        model.subgraphs[0].outputs = [last[name] for name in names]
        model.signatureDefs = []
        return dict(zip(names, self._run(model, list(feeds.values())), strict=True))

    def one(self, op: OneOp, values: Mapping[str, Integers]) -> Integers:
        """The op alone: integers in, integers out."""
        model = copy.deepcopy(self._model)
        graph = model.subgraphs[0]
        alone = graph.operators[op.position]
        graph.operators, graph.inputs, graph.outputs = [alone], self._inputs(alone), list(alone.outputs)
        model.signatureDefs = []
        shapes = [graph.tensors[index].shape for index in graph.inputs]
        feeds = [_as_shape(values[name], tuple(shape)) for name, shape in zip(op.inputs, shapes, strict=True)]
        return self._run(model, feeds)[0]

    def _run(self, model: Any, feeds: Sequence[NDArray[Any]]) -> list[Integers]:
        import flatbuffers
        from ai_edge_litert.interpreter import Interpreter

        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        interpreter = Interpreter(model_content=bytes(builder.Output()), num_threads=1)
        interpreter.allocate_tensors()
        for slot, array in zip(model.subgraphs[0].inputs, feeds, strict=True):
            interpreter.set_tensor(slot, array)
        interpreter.invoke()
        return [_channels_first(interpreter.get_tensor(slot)) for slot in model.subgraphs[0].outputs]

    def _inputs(self, op: Any) -> list[int]:
        """Indices of the op's int8 activations."""
        return [index for index in op.inputs if index in self._names]

    def _is_activation(self, index: int) -> bool:
        return self._model.buffers[self._graph.tensors[index].buffer].data is None

    def _kind(self, op: Any) -> str:
        code = self._model.operatorCodes[op.opcodeIndex].builtinCode
        return next(name for name, value in vars(self._schema.BuiltinOperator).items() if value == code)


def _source_name(name: str, known: Sequence[str]) -> str:
    """The source model's name: without what tells the variants of one tensor apart."""
    while name not in known and (shorter := re.sub(r"(/int8|/transposed|/reshaped|_2)$", "", name)) != name:
        name = shorter
    return name


def _session(model: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _signed(array: NDArray[Any]) -> Integers:
    return array if array.dtype == np.int8 else (array.astype(np.int16) - 128).astype(np.int8)


def _stored(array: Integers, element_type: int) -> NDArray[Any]:
    import onnx

    return array if element_type == onnx.TensorProto.INT8 else (array.astype(np.int16) + 128).astype(np.uint8)


def _channels_first(array: Integers) -> Integers:
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def _as_shape(array: Integers, shape: tuple[int, ...]) -> Integers:
    if array.ndim == 4 and len(shape) == 4:
        array = array.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(array.reshape(shape))
