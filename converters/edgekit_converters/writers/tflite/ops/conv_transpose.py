"""Transposed convolutions: TRANSPOSE_CONV in 1D and 2D, CONV_3D_TRANSPOSE."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgekit_converters.writers.tflite.filters import bias_tensor, filter_tensor, float_bias_tensor
from edgekit_converters.writers.tflite.flat_model import FlatTensor, Shape, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation, channels_last
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.weights import Weights
from edgekit_converters.writers.tflite.window import SAME, VALID


@dataclass(frozen=True, slots=True)
class Spread:
    """Geometry of a transposed convolution, per spatial axis. ``extents`` are kernel sizes with dilation; ``begins`` is
    how much of the full result is cut off in front."""

    extents: Shape
    strides: Shape
    begins: Shape
    sizes: Shape
    output_sizes: Shape

    @property
    def full_sizes(self) -> Shape:
        """The result without any cut, long enough for output_padding."""
        natural = ((n - 1) * s + e for n, s, e in zip(self.sizes, self.strides, self.extents, strict=True))
        needed = (b + o for b, o in zip(self.begins, self.output_sizes, strict=True))
        return tuple(max(pair) for pair in zip(natural, needed, strict=True))

    def raised(self) -> Spread:
        """A geometry of one axis in two dimensions, behind a first axis of size 1."""
        return Spread(
            (1, *self.extents), (1, *self.strides), (0, *self.begins), (1, *self.sizes), (1, *self.output_sizes)
        )

    @property
    def is_same(self) -> bool:
        """Whether TFLite's SAME padding cuts as this does."""
        for n, s, e, begin, size in zip(
            self.sizes, self.strides, self.extents, self.begins, self.output_sizes, strict=True
        ):
            total = max(0, (n - 1) * s + e - size)
            if n != -(-size // s) or begin != total // 2:
                return False
        return True


@lowers("ConvTranspose", int8=True)
def conv_transpose(node: HubNode, out: FlatGraph) -> None:
    """Pads that TFLite's SAME does not express are cut off the full result by a SLICE."""
    rank = node.rank()
    if rank not in (3, 4, 5):
        raise node.unsupported(f"its input has {rank} dimensions; expected 3 to 5")
    if rank == 5:
        _volumes(node, out)
    else:
        _planes(node, out)


def _planes(node: HubNode, out: FlatGraph) -> None:
    """1D as 2D of height 1."""
    layout, spread = channels_last(node.rank()), _spread_of(node)
    data = _raised(out, out.read(node, 0, layout))
    filters = _filters(node, out, (1, 2, 3, 0))
    bias = bias_tensor(node, out, filters.shape[0], data, filters)
    result, fused = out.fused_output(node, layout)
    flat = spread.raised() if node.rank() == 3 else spread
    sizes = flat.output_sizes if flat.is_same else flat.full_sizes
    shape = (data.shape[0], *sizes, filters.shape[0])
    direct = shape == result.shape
    full = result if direct else out.tape.temporary(shape, result.dtype, result.params)
    out.tape.add(
        "TRANSPOSE_CONV",
        (out.tape.constant(np.array(shape, np.int32), name="shape"), filters, data, bias),
        full,
        options(
            "TransposeConvOptions",
            padding=SAME if flat.is_same else VALID,
            strideH=flat.strides[0],
            strideW=flat.strides[1],
            fusedActivationFunction=fused.code,
        ),
    )
    begin, size = (0, *flat.begins, 0), (shape[0], *flat.output_sizes, shape[3])
    if not direct and size == result.shape:
        out.tape.slice_into(full, begin, size, result)
    elif not direct:
        out.tape.reshape_into(full if size == shape else out.tape.slice(full, begin, size), result)


def _volumes(node: HubNode, out: FlatGraph) -> None:
    """CONV_3D_TRANSPOSE, in float."""
    if node.integer("group", 1) != 1:
        raise node.unsupported("a grouped 3D transposed convolution has no TFLite kernel")
    layout, spread = channels_last(5), _spread_of(node)
    data = out.read_float(node, 0, layout)
    filters = out.tape.encode(_filters(node, out, (2, 3, 4, 1, 0)), None)
    bias = float_bias_tensor(node, out, filters.shape[3])
    shape = (data.shape[0], *spread.full_sizes, filters.shape[3])
    full = out.tape.temporary(shape)
    out.tape.add(
        "CONV_3D_TRANSPOSE",
        (out.tape.constant(np.array(shape, np.int32), name="shape"), filters, data, bias),
        full,
        options(
            "Conv3DOptions",
            padding=VALID,
            strideD=spread.strides[0],
            strideH=spread.strides[1],
            strideW=spread.strides[2],
            dilationDFactor=1,
            dilationHFactor=1,
            dilationWFactor=1,
        ),
    )
    cut = out.tape.slice(full, (0, *spread.begins, 0), (shape[0], *spread.output_sizes, shape[4]))
    out.bind(node, cut, layout)


def _raised(out: FlatGraph, data: FlatTensor) -> FlatTensor:
    return data if data.rank == 4 else out.tape.reshape(data, (data.shape[0], 1, *data.shape[1:]))


def _filters(node: HubNode, out: FlatGraph, permutation: Permutation) -> FlatTensor:
    """(inputs, outputs / groups, spatial...) dilated, with the groups as blocks of one full matrix, and transposed."""
    groups, shape = node.integer("group", 1), node.shape(1)
    dilations = node.integers("dilations", (1,) * (len(shape) - 2))
    raised = (*shape[:2], 1, *shape[2:]) if len(shape) == 3 else shape
    if node.constant(1) is None:
        if groups != 1 or any(dilation != 1 for dilation in dilations):
            raise node.unsupported("its filters are computed at run time and grouped or dilated")
        return filter_tensor(node, out, raised, 1, permutation)
    weights = _in_blocks(_dilated(out.weights(node, 1), dilations), groups)
    if len(shape) == 3:
        weights = weights.reshape((*weights.shape[:2], 1, *weights.shape[2:]), 1)
    return out.place(node, weights.transpose(permutation))


def _dilated(weights: Weights, dilations: Shape) -> Weights:
    """TFLite's transposed convolutions have no dilation: zeros between the taps do the same."""
    if all(dilation == 1 for dilation in dilations):
        return weights
    sizes = [(k - 1) * d + 1 for k, d in zip(weights.shape[2:], dilations, strict=True)]
    spread = np.zeros((*weights.shape[:2], *sizes), weights.array.dtype)
    steps = tuple(slice(None, None, dilation) for dilation in dilations)
    spread[(slice(None), slice(None), *steps)] = weights.array
    return weights.with_array(spread)


def _in_blocks(weights: Weights, groups: int) -> Weights:
    """The filters of all groups in one block-diagonal array (inputs, outputs, spatial...)."""
    if groups == 1:
        return weights
    inputs, outputs = weights.shape[0] // groups, weights.shape[1]
    blocks = np.zeros((weights.shape[0], groups * outputs, *weights.shape[2:]), weights.array.dtype)
    for group in range(groups):
        rows = slice(group * inputs, (group + 1) * inputs)
        blocks[rows, group * outputs : (group + 1) * outputs] = weights.array[rows]
    params = weights.params
    if params is not None and params.axis is not None and params.scale.size == outputs:
        params = replace(params, scale=np.tile(params.scale, groups), zero_point=np.tile(params.zero_point, groups))
    return replace(weights, array=blocks, params=params)


def _spread_of(node: HubNode) -> Spread:
    kernel, sizes, output_sizes = node.shape(1)[2:], node.shape(0)[2:], node.output_shape()[2:]
    spatial = len(kernel)
    strides = node.integers("strides", (1,) * spatial)
    dilations = node.integers("dilations", (1,) * spatial)
    extents = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    automatic = node.text("auto_pad", "NOTSET")
    if automatic == "VALID":
        begins: Shape = (0,) * spatial
    elif automatic == "NOTSET" and not node.integers("output_shape", ()):
        begins = node.integers("pads", (0,) * 2 * spatial)[:spatial]
    else:
        extra = node.integers("output_padding", (0,) * spatial)
        totals = [max(0, (sizes[i] - 1) * strides[i] + extra[i] + extents[i] - output_sizes[i]) for i in range(spatial)]
        begins = tuple(total // 2 if automatic == "SAME_UPPER" else total - total // 2 for total in totals)
    return Spread(extents, strides, begins, sizes, output_sizes)
