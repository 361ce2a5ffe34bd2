"""Dense layers and matrix products: FULLY_CONNECTED with constant weights, BATCH_MATMUL otherwise."""

from __future__ import annotations

import numpy as np

from edgekit_converters.writers.tflite.activations import FusedActivation
from edgekit_converters.writers.tflite.filters import bias_tensor
from edgekit_converters.writers.tflite.flat_model import FlatTensor, Shape, options
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.layout import Permutation, identity
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.table import lowers
from edgekit_converters.writers.tflite.weights import Weights


@lowers("Gemm", int8=True)
def gemm(node: HubNode, out: FlatGraph) -> None:
    """FULLY_CONNECTED; a transposition that a flatten would need goes into the order of the weights' columns."""
    if node.constant(1) is None or node.integer("transA", 0) or not _is_bias(node):
        _general_gemm(node, out)
        return
    weights = out.weights(node, 1)
    if not node.integer("transB", 0):
        weights = weights.transpose((1, 0))
    data, order = out.read_flattened(node, 0)
    if order is not None:
        weights = weights.take(order, 1)
    placed = out.place(node, _scaled(node, weights, node.number("alpha", 1.0)), hybrid=True)
    bias = _gemm_bias(node, out, data, placed)
    result, fused = out.fused_output(node, (0, 1))
    _fully_connected(out, data, placed, bias, result, fused)


@lowers("MatMul", int8=True)
def matmul(node: HubNode, out: FlatGraph) -> None:
    """As FULLY_CONNECTED when the right operand is a constant matrix, else as BATCH_MATMUL."""
    if node.constant(1) is not None and node.rank(1) == 2 and node.rank(0) >= 2:
        _dense(node, out)
    else:
        _batch_matmul(node, out)


def _dense(node: HubNode, out: FlatGraph) -> None:
    weights, rank = out.weights(node, 1).transpose((1, 0)), node.rank()
    layout = _keeping_last(out.layout(node))
    if rank == 2:
        data, order = out.read_flattened(node, 0)
        weights, layout = weights if order is None else weights.take(order, 1), (0, 1)
    else:
        data = out.read(node, 0, layout)
    placed = out.place(node, weights, hybrid=True)
    addition = _bias_addition(node, out)
    if addition is None:
        bias, last = bias_tensor(node, out, weights.shape[0], data, placed), node
    else:
        (last, index), count = addition, weights.shape[0]
        bias = out.place(last, out.weights(last, index).reshape((count,), 0))
        out.absorb(last)
    result, fused = out.fused_output(last, layout)
    _fully_connected(out, data, placed, bias, result, fused)


def _bias_addition(node: HubNode, out: FlatGraph) -> tuple[HubNode, int] | None:
    """The Add of one constant a column that alone reads the product in float, and which of its inputs the constant is."""
    reader = out.sole_reader(node)
    if reader is None or reader.op != "Add" or out.is_integer(node) or out.is_integer(reader):
        return None
    for index in (0, 1):
        array, columns = reader.constant(index), node.output_shape()[-1]
        if array is not None and array.size == columns == array.shape[-1]:
            return (reader, index) if len(reader.output_shape()) == node.rank() else None
    return None


def _fully_connected(
    out: FlatGraph,
    data: FlatTensor,
    weights: FlatTensor,
    bias: FlatTensor,
    result: FlatTensor,
    fused: FusedActivation,
) -> None:
    """``weights``: (outputs, inputs). Hybrid kernels quantize their activations asymmetrically, as TensorFlow's do."""
    out.tape.add(
        "FULLY_CONNECTED",
        (data, weights, bias),
        result,
        options(
            "FullyConnectedOptions",
            fusedActivationFunction=fused.code,
            keepNumDims=data.rank != 2,
            asymmetricQuantizeInputs=data.is_float and weights.is_int8,
        ),
    )


def _is_bias(node: HubNode) -> bool:
    """Whether Gemm's third input is absent or one constant number a column."""
    if not node.has(2):
        return True
    array = node.constant(2)
    return array is not None and array.size in (1, node.output_shape()[1]) and (array.ndim < 2 or array.shape[0] == 1)


def _gemm_bias(node: HubNode, out: FlatGraph, data: FlatTensor, weights: FlatTensor) -> FlatTensor:
    count = node.output_shape()[1]
    if not node.has(2) or out.is_integer(node):
        return bias_tensor(node, out, count, data, weights)
    bias = out.weights(node, 2)
    columns = np.broadcast_to(bias.array.reshape(-1), (count,))
    return out.place(node, _scaled(node, bias.with_array(columns), node.number("beta", 1.0)))


def _scaled(node: HubNode, weights: Weights, factor: float) -> Weights:
    if factor == 1.0:
        return weights
    if weights.is_integer:
        raise node.unsupported(f"its weights are quantized but its alpha or beta is {factor}; expected 1")
    return weights.with_array(weights.array * np.float32(factor))


def _general_gemm(node: HubNode, out: FlatGraph) -> None:
    """alpha * A' @ B' + beta * C with computed operands, in float."""
    tape = out.tape
    left, right = out.read_float(node, 0, (0, 1)), out.read_float(node, 1, (0, 1))
    product = tape.compute(
        "BATCH_MATMUL",
        left,
        right,
        shape=node.output_shape(),
        builtin_options=options(
            "BatchMatMulOptions", adjX=bool(node.integer("transA", 0)), adjY=bool(node.integer("transB", 0))
        ),
    )
    if (alpha := node.number("alpha", 1.0)) != 1.0:
        product = tape.compute("MUL", product, tape.constant(alpha))
    if node.has(2) and (beta := node.number("beta", 1.0)) != 0.0:
        addend = out.read_float(node, 2, identity(2))
        addend = addend if beta == 1.0 else tape.compute("MUL", addend, tape.constant(beta))
        product = tape.compute("ADD", product, addend)
    out.bind(node, product)


def _batch_matmul(node: HubNode, out: FlatGraph) -> None:
    left, _ = _operand(node, out, 0, may_swap=False)
    right, swapped = _operand(node, out, 1, may_swap=True)
    if right.is_per_channel or left.is_per_channel:
        raise node.unsupported("a constant operand of more than two dimensions is quantized per channel")
    left = out.tape.reshape(left, (1, *left.shape)) if left.rank == 1 else left
    right = out.tape.reshape(right, (*right.shape, 1)) if right.rank == 1 else right
    rows, columns = left.shape[-2], right.shape[-2 if swapped else -1]
    shape: Shape = (*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), rows, columns)
    params = out.output_params(node)
    product = out.tape.add(
        "BATCH_MATMUL",
        (left, right),
        out.tape.temporary(shape, left.dtype, params),
        options("BatchMatMulOptions", adjX=False, adjY=swapped),
    )
    out.bind(node, out.tape.reshape(product, node.output_shape()))


def _operand(node: HubNode, out: FlatGraph, index: int, may_swap: bool) -> tuple[FlatTensor, bool]:
    """An operand in logical order, or with its last two axes swapped when it already lies so in memory."""
    logical = identity(node.rank(index))
    if may_swap and len(logical) > 1 and node.constant(index) is None:
        layouts, swapped = out.layouts(node, index), (*logical[:-2], logical[-1], logical[-2])
        if logical not in layouts and swapped in layouts:
            return out.read(node, index, swapped), True
    return out.read(node, index, logical), False


def _keeping_last(layout: Permutation) -> Permutation:
    """``layout`` where its last axis is the logical last one, the rows may lie in any order; else the logical order."""
    rank = len(layout)
    return layout if layout[-1] == rank - 1 else identity(rank)
