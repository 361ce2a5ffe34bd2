"""A whole network's gradients against PyTorch's autograd."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from edgekit_converters.gradients.backward import backward
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.calibrate_session import Calculator

pytestmark = pytest.mark.pytorch


def test_a_convolutional_network_has_the_gradients_of_autograd() -> None:
    import torch
    from torch.nn import functional

    random = np.random.default_rng(6)
    shapes = ((8, 3, 3, 3), (8, 1, 3, 3), (8, 8, 1, 1), (5, 8))
    weights = [random.standard_normal(shape).astype(np.float32) * 0.4 for shape in shapes]
    graph = GraphBuilder()
    first, wise, one, last = (graph.constant(array) for array in weights)
    x = graph.input("x", "float32", ["N", 3, 11, 11])
    stem = graph.op("Sigmoid", graph.op("Conv", x, first, strides=[2, 2], pads=[1, 1, 1, 1]))
    inner = graph.op("Gelu", graph.op("Conv", stem, wise, group=8, pads=[1, 1, 1, 1]))
    added = graph.op("Add", stem, graph.op("Conv", inner, one))
    pooled = graph.op("MaxPool", added, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    flat = graph.op("Flatten", graph.op("GlobalAveragePool", pooled))
    graph.output(graph.op("LogSoftmax", graph.op("Gemm", flat, last, transB=1)), "y")
    hub = graph.build("test")

    given = torch.from_numpy(random.standard_normal((4, 3, 11, 11)).astype(np.float32)).requires_grad_()
    tensors = [torch.from_numpy(array) for array in weights]
    begun = functional.conv2d(given, tensors[0], stride=2, padding=1).sigmoid()
    begun.retain_grad()
    wide = functional.gelu(functional.conv2d(begun, tensors[1], groups=8, padding=1))
    stream = begun + functional.conv2d(wide, tensors[2])
    answers = functional.max_pool2d(stream, 3, 2, 1).mean((2, 3)) @ tensors[3].T
    probe = random.standard_normal((4, 5)).astype(np.float32)
    (answers.log_softmax(1) * torch.from_numpy(probe)).sum().backward()

    found = backward(hub, ["y"], ["x", str(stem.name)])
    proto = ir.to_proto(found.model)
    del proto.graph.output[:]
    proto.graph.output.extend(ir.to_proto(value) for value in found.gradients.values())
    names = [value.name or "" for value in found.gradients.values()]
    arrays = Calculator(proto).run(names, {"x": given.detach().numpy(), found.probes["y"]: probe})
    for array, tensor in zip(arrays, (given, begun), strict=True):
        assert tensor.grad is not None
        np.testing.assert_allclose(array, tensor.grad.numpy(), rtol=1e-4, atol=1e-6)
