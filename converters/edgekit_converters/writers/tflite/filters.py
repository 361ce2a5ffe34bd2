"""The filter and bias tensors of convolutions and dense layers."""

from __future__ import annotations

import numpy as np

from edgekit_converters.quantize.params import QuantParams, QuantType
from edgekit_converters.writers.tflite.flat_model import FlatTensor, Shape
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation
from edgekit_converters.writers.tflite.node import HubNode


def filter_tensor(
    node: HubNode, out: FlatGraph, shape: Shape, channel_axis: int, permutation: Permutation, hybrid: bool = False
) -> FlatTensor:
    """Input 1 reshaped to ``shape`` (where its output channels are ``channel_axis``) and transposed.

    ``hybrid``: the kernel takes int8 filters beside float activations.
    """
    if node.constant(1) is not None:
        weights = out.weights(node, 1).reshape(shape, channel_axis).transpose(permutation)
        return out.place(node, weights, hybrid)
    tensor = out.read_float(node, 1, tuple(range(node.rank(1))))
    return out.tape.transpose(out.tape.reshape(tensor, shape), permutation)


def bias_tensor(node: HubNode, out: FlatGraph, count: int, data: FlatTensor, filters: FlatTensor) -> FlatTensor:
    """Input 2, or zeros where the node has none; int32 (beside int16 data int64) of scale (data x filters)."""
    if node.has(2) and node.constant(2) is None:
        return out.read_float(node, 2)
    if node.has(2):
        weights = out.weights(node, 2) if not out.is_integer(node) else out.stored_weights(node, 2)
        return out.place(node, weights.reshape((count,), 0))
    if data.params is None or filters.params is None:
        return out.tape.constant(np.zeros(count, np.float32), name=f"{node.name}/no_bias")
    params = bias_params(data.params, filters.params)
    return out.tape.constant(np.zeros(count, params.dtype.dtype), params, f"{node.name}/no_bias")


def float_bias_tensor(node: HubNode, out: FlatGraph, count: int) -> FlatTensor:
    """Input 2 in float, or zeros where the node has none, for a kernel that computes in float whatever the plan says."""
    if not node.has(2):
        return out.tape.constant(np.zeros(count, np.float32), name=f"{node.name}/no_bias")
    if node.constant(2) is None:
        return out.read_float(node, 2)
    bias = out.weights(node, 2)
    array = bias.array if bias.params is None else bias.params.dequantize(bias.array)
    return out.tape.constant(array.reshape(-1), name=bias.name)


def bias_params(data: QuantParams, filters: QuantParams) -> QuantParams:
    """The encoding of the sums: int32, beside 16-bit activations int64."""
    scale = (data.scale * filters.scale).astype(np.float32)
    zero_point = np.zeros(scale.shape, np.int32)
    dtype = QuantType.INT64 if data.dtype is QuantType.INT16 else QuantType.INT32
    return QuantParams(scale, zero_point, dtype, 0 if scale.ndim else None)
