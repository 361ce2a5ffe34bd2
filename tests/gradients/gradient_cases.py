"""Small networks around one operator each, for the tests of gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder

Body = Callable[[GraphBuilder, ir.Value], ir.Value]
PICTURE, ROWS, VECTOR = (3, 4, 9, 8), (2, 5, 6), (4, 6)


def made(shape: tuple[int, ...], body: Body) -> Hub:
    """A network of one input "x" and one output "y"."""
    graph = GraphBuilder()
    graph.output(body(graph, graph.input("x", "float32", ["N", *shape[1:]])), "y")
    return graph.build("test")


def one(op_type: str, *constants: object, **attributes: object) -> Body:
    """An operator with constants behind its operand."""

    def body(graph: GraphBuilder, x: ir.Value) -> ir.Value:
        given = [None if each is None else graph.constant(each) for each in constants]  # type: ignore[arg-type]
        return graph.op(op_type, x, *given, **attributes)

    return body


def random(*shape: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def twice(op_type: str, *further: object) -> Body:
    """The operand, and the operand reversed and broadcast, as the two operands of an operator."""

    def body(graph: GraphBuilder, x: ir.Value) -> ir.Value:
        small = graph.op("ReduceMean", x, graph.constant(np.array([1])), keepdims=1)
        away = graph.op("Add", graph.op("Exp", small), graph.constant(0.5))
        return graph.op(op_type, x, away, *[graph.constant(each) for each in further])  # type: ignore[arg-type]

    return body


def apart(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    """A Split of which one part is not read."""
    parts = graph.ops("Split", x, graph.constant(np.array([1, 2, 3])), outputs=3, axis=-1)
    return graph.op("Concat", parts[2], parts[0], graph.op("Sin", parts[2]), axis=-1)


def chosen(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    return graph.op("Where", graph.constant(random(1, 6) > 0), graph.op("Exp", x), graph.op("Sin", x))


def attention(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    scores = graph.op("MatMul", x, graph.op("Transpose", x, perm=[0, 2, 1]))
    return graph.op("MatMul", graph.op("Softmax", scores), x)


def squeezed(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    wide = graph.op("Unsqueeze", x, graph.constant(np.array([1])))
    return graph.op("Squeeze", graph.op("Tanh", wide), graph.constant(np.array([1])))


def product_of_two(graph: GraphBuilder, x: ir.Value) -> ir.Value:
    """Gemm with two computed operands, both turned, and a computed bias."""
    bias = graph.op("ReduceSum", x, graph.constant(np.array([0])), keepdims=0)
    return graph.op(
        "Gemm",
        graph.op("Sin", x),
        x,
        graph.op("Slice", bias, *map(graph.constant, ([0], [1]))),
        transB=1,
        alpha=0.5,
        beta=2.0,
    )


CURVES = {
    **{name: one(name) for name in ("Abs", "Cos", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity")},
    **{
        name: one(name)
        for name in ("LeakyRelu", "Mish", "Neg", "Relu", "Selu", "Sigmoid", "Sin", "Softplus", "Softsign", "Tanh")
    },
    "Gelu tanh": one("Gelu", approximate="tanh"),
    "HardSigmoid steep": one("HardSigmoid", alpha=0.7, beta=0.4),
    "LeakyRelu steep": one("LeakyRelu", alpha=0.4),
    "Elu alpha": one("Elu", alpha=0.4),
    "Clip": one("Clip", -0.5, 0.8),
    "Clip above": one("Clip", None, 0.8),
    "PRelu": one("PRelu", random(6)),
    "Dropout": one("Dropout"),
    "Pow": one("Pow", 3.0),
    "Where": chosen,
    "Softmax": one("Softmax"),
    "LogSoftmax": one("LogSoftmax", axis=1),
    "Add": one("Add", random(6)),
    "Max": twice("Max"),
    "Min": twice("Min"),
    "Mean": twice("Mean", random(6)),
    "Sum": twice("Sum", random(6)),
    **{f"{name} of two": twice(name) for name in ("Add", "Sub", "Mul", "Div")},
    "Gemm": one("Gemm", random(6, 3), random(3)),
    "Gemm turned": one("Gemm", random(3, 6), transB=1, alpha=0.3),
    "Gemm of two": product_of_two,
    "Gather": one("Gather", np.array([4, 1, 1, -1]), axis=1),
    "Gather one": one("Gather", np.array(2), axis=1),
    "Split": apart,
}
POSITIVE = {name: one(name) for name in ("Log", "Reciprocal", "Sqrt")} | {"Pow half": one("Pow", 0.5)}
SEQUENCES = {
    "MatMul": one("MatMul", random(6, 4)),
    "Attention": attention,
    "Transpose": one("Transpose", perm=[0, 2, 1]),
    "Flatten": one("Flatten"),
    "Reshape": one("Reshape", np.array([0, -1, 3])),
    "Expand": lambda graph, x: graph.op(
        "Expand", graph.op("Slice", x, *map(graph.constant, ([1], [2], [1]))), graph.constant(np.array([1, 4, 6]))
    ),
    "Squeeze": squeezed,
    "LayerNormalization": one("LayerNormalization", random(6), random(6)),
    "Slice": one("Slice", [1, 5], [4, 0], [1, 2], [1, -2]),
    "ReduceMean": one("ReduceMean", np.array([1]), keepdims=0),
    "ReduceSum": one("ReduceSum", np.array([-1, 1]), keepdims=1),
    "ReduceMax": one("ReduceMax", np.array([1]), keepdims=0),
    "ReduceMin": one("ReduceMin", np.array([2]), keepdims=1),
    "ReduceL2": one("ReduceL2", np.array([2]), keepdims=0),
}
PICTURES = {
    "Conv": one("Conv", random(5, 4, 3, 3), random(5), pads=[1, 1, 1, 1]),
    "Conv strided": one("Conv", random(6, 2, 3, 2), strides=[2, 3], pads=[0, 1, 1, 0], group=2),
    "Conv dilated": one("Conv", random(6, 4, 2, 3), dilations=[3, 2], pads=[4, 0, 0, 2]),
    "Conv same": one("Conv", random(4, 1, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER", group=4),
    "Conv same lower": one("Conv", random(4, 4, 2, 2), auto_pad="SAME_LOWER"),
    "Conv one place": one("Conv", random(3, 4, 1, 1), strides=[2, 2]),
    "ConvTranspose": one(
        "ConvTranspose", random(4, 3, 3, 3), random(3), strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 0]
    ),
    "ConvTranspose grouped": one("ConvTranspose", random(4, 2, 2, 3), group=2, dilations=[2, 1]),
    "AveragePool": one("AveragePool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]),
    "AveragePool padding": one(
        "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "AveragePool ceil": one("AveragePool", kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1),
    "MaxPool": one("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "MaxPool overlapping": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "MaxPool same": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    "MaxPool ceil": one("MaxPool", kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1),
    "GlobalAveragePool": one("GlobalAveragePool"),
    "GlobalMaxPool": one("GlobalMaxPool"),
    "BatchNormalization": one("BatchNormalization", random(4), random(4), random(4), np.abs(random(4)) + 0.1),
    "InstanceNormalization": one("InstanceNormalization", random(4), random(4)),
    "Pad": one("Pad", np.array([0, 0, 1, 2, 0, 0, 0, 1])),
    "DepthToSpace": one("DepthToSpace", blocksize=2),
    "DepthToSpace CRD": one("DepthToSpace", blocksize=2, mode="CRD"),
    "SpaceToDepth": lambda graph, x: graph.op(
        "SpaceToDepth", graph.op("Slice", x, *map(graph.constant, ([1], [9], [2]))), blocksize=2
    ),
    "Resize nearest": one(
        "Resize", None, np.array([1, 1, 2, 2], np.float32), mode="nearest", coordinate_transformation_mode="asymmetric"
    ),
    "Resize linear": one("Resize", None, None, np.array([3, 4, 13, 5]), mode="linear"),
    "Resize cubic": one("Resize", None, np.array([1, 1, 2, 1], np.float32), mode="cubic"),
}
