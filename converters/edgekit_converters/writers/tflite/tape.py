"""`Tape`: the operators written so far, and the tensor-level operations that need to know nothing of the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from edgekit.errors import ConversionError
from edgekit_converters.names import UniqueNames
from edgekit_converters.quantize.params import QuantParams, QuantType
from edgekit_converters.writers.tflite.flat_model import BuiltinOptions, FlatModel, FlatOp, FlatTensor, options
from edgekit_converters.writers.tflite.layout import Permutation, moves_data, permuted
from edgekit_converters.writers.tflite.variants import encoding_key


class Tape:
    """Appends operators in order. Every method that computes returns the tensor that holds the result."""

    def __init__(self, reserved_names: Iterable[str] = ()) -> None:
        self.ops: list[FlatOp] = []
        self._names = UniqueNames(reserved_names)
        self._pool: dict[object, FlatTensor] = {}
        self._reshaped_from: dict[FlatTensor, FlatTensor] = {}
        self._prefix = "tensor"

    def name_after(self, prefix: str) -> None:
        """Tensors without a name of their own are named after ``prefix`` (the hub node being written)."""
        self._prefix = prefix

    def unique_name(self, name: str) -> str:
        return self._names.give(name)

    def temporary(
        self, shape: Sequence[int], dtype: DTypeLike = np.float32, params: QuantParams | None = None, name: str = ""
    ) -> FlatTensor:
        """A tensor that the next operator will write; int8 when ``params`` are given."""
        element = params.dtype.dtype if params is not None else np.dtype(dtype)
        return FlatTensor(self.unique_name(name or f"{self._prefix}/part"), element, tuple(shape), params)

    def constant(self, array: ArrayLike, params: QuantParams | None = None, name: str = "") -> FlatTensor:
        """A constant; equal ones share one tensor. Python floats become float32, all int64 become int32."""
        data = np.asarray(array)
        if params is None or params.dtype is not QuantType.INT64:
            data = _narrowed(data, isinstance(array, (np.ndarray, np.generic)), name or self._prefix)
        content = np.ascontiguousarray(data).reshape(data.shape)
        digest = hashlib.blake2b(content.reshape(-1).view(np.uint8).data, digest_size=16).digest()
        key = (content.dtype.name, content.shape, digest, encoding_key(params))
        if key not in self._pool:
            unique = self.unique_name(name or f"{self._prefix}/constant")
            self._pool[key] = FlatTensor(unique, content.dtype, content.shape, params, content)
        return self._pool[key]

    def add(
        self,
        builtin: str,
        inputs: Sequence[FlatTensor | None],
        output: FlatTensor,
        builtin_options: BuiltinOptions | None = None,
    ) -> FlatTensor:
        """Append an operator with one output and return that output."""
        self.ops.append(FlatOp(builtin, tuple(inputs), (output,), builtin_options))
        return output

    def add_many(
        self,
        builtin: str,
        inputs: Sequence[FlatTensor | None],
        outputs: Sequence[FlatTensor],
        builtin_options: BuiltinOptions | None = None,
    ) -> None:
        self.ops.append(FlatOp(builtin, tuple(inputs), tuple(outputs), builtin_options))

    def add_control(
        self,
        builtin: str,
        inputs: Sequence[FlatTensor],
        outputs: Sequence[FlatTensor],
        builtin_options: BuiltinOptions,
        subgraphs: Mapping[str, FlatModel],
    ) -> None:
        """An operator that runs ``subgraphs`` (see `FlatOp`)."""
        self.ops.append(FlatOp(builtin, tuple(inputs), tuple(outputs), builtin_options, subgraphs))

    def compute(
        self,
        builtin: str,
        *inputs: FlatTensor,
        builtin_options: BuiltinOptions | None = None,
        shape: Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
    ) -> FlatTensor:
        """A new temporary holding ``builtin(inputs)``: by default of the inputs' broadcast shape, and of the first
        input's type and encoding."""
        first = inputs[0]
        sizes = np.broadcast_shapes(*(tensor.shape for tensor in inputs)) if shape is None else tuple(shape)
        params = first.params if dtype is None else None
        return self.add(builtin, inputs, self.temporary(sizes, dtype or first.dtype, params), builtin_options)

    def reshape(self, tensor: FlatTensor, shape: Sequence[int]) -> FlatTensor:
        """The same numbers in the same order; a reshape of a reshape starts from the first one's input."""
        if tensor.shape == tuple(shape):
            return tensor
        tensor = self._reshaped_from.get(tensor, tensor)
        if tensor.shape == tuple(shape):
            return tensor
        if tensor.data is not None and not tensor.is_per_channel:
            return self.constant(tensor.data.reshape(tuple(shape)), tensor.params, tensor.name)
        output = self.temporary(shape, tensor.dtype, tensor.params, f"{tensor.name}/reshaped")
        return self.reshape_into(tensor, output)

    def reshape_into(self, tensor: FlatTensor, output: FlatTensor) -> FlatTensor:
        """A reshape to the shape of a tensor that exists already."""
        self._reshaped_from[output] = self._reshaped_from.get(tensor, tensor)
        return self.add("RESHAPE", (tensor, self._shape(output.shape)), output, _reshape_options(output.shape))

    def copy(self, tensor: FlatTensor) -> FlatTensor:
        """The same numbers in a tensor of its own."""
        output = self.temporary(tensor.shape, tensor.dtype, tensor.params, f"{tensor.name}/copy")
        return self.reshape_into(tensor, output)

    def transpose(self, tensor: FlatTensor, permutation: Permutation) -> FlatTensor:
        """``tensor.transpose(permutation)``; a reshape where only axes of size 1 change place."""
        target = permuted(tensor.shape, permutation)
        if permutation == tuple(range(tensor.rank)):
            return tensor
        if tensor.data is not None and not tensor.is_per_channel:
            return self.constant(tensor.data.transpose(permutation), tensor.params, tensor.name)
        if not moves_data(tensor.shape, permutation):
            return self.reshape(tensor, target)
        output = self.temporary(target, tensor.dtype, tensor.params, f"{tensor.name}/transposed")
        axes = self.constant(np.array(permutation, np.int32), name="permutation")
        return self.add("TRANSPOSE", (tensor, axes), output, options("TransposeOptions"))

    def encode(self, tensor: FlatTensor, params: QuantParams | None) -> FlatTensor:
        """The tensor quantized, requantized or (None) dequantized; itself when it is so already."""
        if encoding_key(tensor.params) == encoding_key(params):
            return tensor
        if params is None:
            output = self.temporary(tensor.shape, np.float32, None, f"{tensor.name}/float")
            return self.add("DEQUANTIZE", (tensor,), output, options("DequantizeOptions"))
        output = self.temporary(tensor.shape, params=params, name=f"{tensor.name}/{params.dtype.numpy_name}")
        return self.add("QUANTIZE", (tensor,), output, options("QuantizeOptions"))

    def cast(self, tensor: FlatTensor, dtype: DTypeLike) -> FlatTensor:
        """The tensor as another plain element type; itself when it has that type."""
        if tensor.dtype == np.dtype(dtype):
            return tensor
        output = self.temporary(tensor.shape, dtype, None, f"{tensor.name}/{np.dtype(dtype).name}")
        return self.add("CAST", (tensor,), output)

    def pad(self, tensor: FlatTensor, pads: Sequence[tuple[int, int]], value: float | None = None) -> FlatTensor:
        """Padded by (before, after) per physical axis: with 0, or with ``value`` in real numbers."""
        if not any(before or after for before, after in pads):
            return tensor
        shape = [size + before + after for size, (before, after) in zip(tensor.shape, pads, strict=True)]
        output = self.temporary(shape, tensor.dtype, tensor.params, f"{tensor.name}/padded")
        amounts = self.constant(np.array(pads, np.int32), name="pads")
        if value is None:
            return self.add("PAD", (tensor, amounts), output, options("PadOptions"))
        filler = np.array([value], np.float32)
        if tensor.params is not None:
            scalar = self.constant(tensor.params.quantize(filler), tensor.params, "pad_value")
        else:
            scalar = self.constant(filler.astype(tensor.dtype), name="pad_value")
        return self.add("PADV2", (tensor, amounts, scalar), output, options("PadV2Options"))

    def reduce(self, builtin: str, tensor: FlatTensor, axes: Sequence[int]) -> FlatTensor:
        """MEAN, SUM, REDUCE_MAX, ... over physical axes, which stay as size 1."""
        shape = [1 if axis in axes else size for axis, size in enumerate(tensor.shape)]
        output = self.temporary(shape, tensor.dtype, tensor.params)
        return self.reduce_into(builtin, tensor, axes, output)

    def reduce_into(self, builtin: str, tensor: FlatTensor, axes: Sequence[int], output: FlatTensor) -> FlatTensor:
        """As `reduce`, into a tensor that exists already (with an encoding of its own, say)."""
        chosen = self.constant(np.array(sorted(axes), np.int32), name="axes")
        return self.add(builtin, (tensor, chosen), output, options("ReducerOptions", keepDims=True))

    def slice(self, tensor: FlatTensor, begin: Sequence[int], size: Sequence[int]) -> FlatTensor:
        """A block of the tensor; the tensor itself when the block is all of it."""
        if tuple(size) == tensor.shape:
            return tensor
        output = self.temporary(size, tensor.dtype, tensor.params, f"{tensor.name}/slice")
        return self.slice_into(tensor, begin, size, output)

    def slice_into(
        self, tensor: FlatTensor, begin: Sequence[int], size: Sequence[int], output: FlatTensor
    ) -> FlatTensor:
        """As `slice`, into a tensor that exists already."""
        bounds = [self.constant(np.array(numbers, np.int32), name="bounds") for numbers in (begin, size)]
        return self.add("SLICE", (tensor, *bounds), output, options("SliceOptions"))

    def _shape(self, shape: Sequence[int]) -> FlatTensor:
        return self.constant(np.array(tuple(shape), np.int32), name="shape")


def _reshape_options(shape: Sequence[int]) -> BuiltinOptions:
    return options("ReshapeOptions", newShape=list(shape))


def _narrowed(data: NDArray[Any], typed: bool, name: str) -> NDArray[Any]:
    if data.dtype == np.int64:
        limits = np.iinfo(np.int32)
        if data.size and (data.min() < limits.min or data.max() > limits.max):
            raise ConversionError(
                f"constant {name!r} holds {data.min()}..{data.max()}, which does not fit the 32-bit integers that "
                "TFLite kernels compute with"
            )
        return data.astype(np.int32)
    return data.astype(np.float32) if data.dtype == np.float64 and not typed else data
