"""The table of gradients, by operator."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from edgekit_converters.gradients import combining, elementwise, layers, movement, pooling, reducing
from edgekit_converters.gradients.elementwise import unary
from edgekit_converters.gradients.tape import Tape

Rule = Callable[[Tape, ir.Node], None]

RULES: dict[str, Rule] = {
    "Abs": unary(elementwise.absolute),
    "Add": combining.addition,
    "AveragePool": pooling.average_pool,
    "BatchNormalization": reducing.batch_normalization,
    "Clip": unary(elementwise.clip),
    "Concat": movement.concat,
    "Conv": layers.convolution,
    "ConvTranspose": layers.transposed_convolution,
    "Cos": unary(elementwise.cosine),
    "DepthToSpace": movement.depth_to_space,
    "Div": combining.quotient,
    "Dropout": elementwise.passed_on,
    "Elu": unary(elementwise.elu),
    "Erf": unary(elementwise.erf),
    "Exp": unary(elementwise.exponential),
    "Expand": movement.expand,
    "Flatten": movement.reshape,
    "Gather": movement.gather,
    "Gelu": unary(elementwise.gelu),
    "Gemm": layers.gemm,
    "GlobalAveragePool": pooling.global_average_pool,
    "GlobalMaxPool": pooling.global_max_pool,
    "HardSigmoid": unary(elementwise.hard_sigmoid),
    "HardSwish": unary(elementwise.hard_swish),
    "Identity": elementwise.passed_on,
    "InstanceNormalization": reducing.instance_normalization,
    "LayerNormalization": reducing.layer_normalization,
    "LeakyRelu": unary(elementwise.leaky_relu),
    "Log": unary(elementwise.logarithm),
    "LogSoftmax": reducing.log_softmax,
    "MatMul": layers.matrix_product,
    "Max": combining.extreme,
    "MaxPool": pooling.max_pool,
    "Mean": combining.mean,
    "Min": combining.extreme,
    "Mish": unary(elementwise.mish),
    "Mul": combining.product,
    "Neg": unary(elementwise.negative),
    "PRelu": elementwise.p_relu,
    "Pad": movement.pad,
    "Pow": unary(elementwise.power),
    "Reciprocal": unary(elementwise.reciprocal),
    "ReduceL2": reducing.reduce_l2,
    "ReduceMax": reducing.reduce_extreme,
    "ReduceMean": reducing.reduce_mean,
    "ReduceMin": reducing.reduce_extreme,
    "ReduceSum": reducing.reduce_sum,
    "Relu": unary(elementwise.relu),
    "Reshape": movement.reshape,
    "Resize": movement.resize,
    "Selu": unary(elementwise.selu),
    "Sigmoid": unary(elementwise.sigmoid),
    "Sin": unary(elementwise.sine),
    "Slice": movement.slices,
    "Softmax": reducing.softmax,
    "Softplus": unary(elementwise.softplus),
    "Softsign": unary(elementwise.softsign),
    "SpaceToDepth": movement.space_to_depth,
    "Split": movement.split,
    "Sqrt": unary(elementwise.square_root),
    "Squeeze": movement.reshape,
    "Sub": combining.subtraction,
    "Sum": combining.addition,
    "Swish": unary(elementwise.swish),
    "Tanh": unary(elementwise.tanh),
    "Transpose": movement.transpose,
    "Unsqueeze": movement.reshape,
    "Where": combining.where,
}
"""Operators that gradients are followed through."""
