"""The promises of a normalized hub, on whole networks."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from edgekit.protocols import ReadOptions
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.model import OPSET, Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.sources.onnx import OnnxSource


def assert_promises(hub):
    graph = hub.model.graph
    names = [node.name for node in graph]
    assert all(names)
    assert len(set(names)) == len(names)
    assert dict(graph.opset_imports) == {"": OPSET}
    assert not {node.op_type for node in graph} & {"Constant", "Dropout"}
    for node in graph:
        for value in node.outputs:
            if value.uses() or value.is_graph_output():
                assert value.name
                assert value.dtype is not None
                assert value.shape is not None
    for value in graph.initializers.values():
        assert value.uses() or value.is_graph_output()
        assert value.dtype not in (ir.DataType.DOUBLE, ir.DataType.FLOAT16)


def test_a_small_network_keeps_every_promise(equal, ops):
    random = np.random.default_rng(3)
    graph = GraphBuilder()
    x = graph.input("pixels", "float32", ["batch", 8, 8, 3])
    y = graph.op("Transpose", x, perm=[0, 3, 1, 2])
    y = graph.op("Pad", y, graph.constant(np.array([0, 0, 0, 0, 0, 0, 1, 1])))
    y = graph.op("Conv", y, graph.constant(random.standard_normal((4, 3, 3, 3)).astype(np.float32)), strides=[2, 2])
    y = graph.op("Mul", y, graph.constant(random.standard_normal((1, 4, 1, 1)).astype(np.float32)))
    y = graph.op("Add", y, graph.constant(random.standard_normal((1, 4, 1, 1)).astype(np.float32)))
    y = graph.op("Min", graph.op("Max", y, graph.constant(0.0)), graph.constant(6.0))
    y = graph.op("Dropout", graph.op("GlobalAveragePool", y))
    shape = graph.op("Concat", graph.op("Shape", x, start=0, end=1), graph.constant(np.array([-1])), axis=0)
    y = graph.op(
        "MatMul", graph.op("Reshape", y, shape), graph.constant(random.standard_normal((4, 5)).astype(np.float32))
    )
    graph.output(graph.op("Softmax", graph.op("Add", y, graph.constant(np.ones(5, np.float32)))), "scores")
    hub = graph.build("test")
    before = hub.to_bytes()
    result = normalize(hub)
    equal(hub, result)
    assert_promises(result)
    assert ops(result) == {
        "Transpose": 1, "Conv": 1, "Clip": 1, "GlobalAveragePool": 1, "Reshape": 1, "Gemm": 1, "Softmax": 1,
    }  # fmt: skip
    assert result.outputs[0].shape == ("batch", 5)
    assert hub.to_bytes() == before


def test_normalizing_twice_changes_nothing(ops):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 4])
    y = graph.op("MatMul", x, graph.constant(np.eye(4, dtype=np.float32)))
    graph.output(graph.op("Sum", y, x, graph.op("Neg", x)), "y")
    once = normalize(graph.build("test"))
    assert normalize(once).to_bytes() == once.to_bytes()


def test_doubled_node_names_become_unique():
    graph = ir.Graph([], [], nodes=[], opset_imports={"": OPSET}, name="g")
    x = ir.Value(name="x", shape=ir.Shape(["batch", 2]), type=ir.TensorType(ir.DataType.FLOAT))
    graph.inputs.append(x)
    for op in ("Relu", "Exp"):
        node = ir.node(op, [x], name="same")
        graph.append(node)
        x = node.outputs[0]
    x.name = "y"
    graph.outputs.append(x)
    names = [node.name for node in normalize(Hub(ir.Model(graph, ir_version=10), "test")).model.graph]
    assert names == ["same", "same_2"]


@pytest.mark.pytorch
@pytest.mark.filterwarnings("ignore")  # the exporters' own
@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("network", ["convolutional", "transformer", "recurrent"])
def test_exports_of_pytorch_compute_the_same(tmp_path, network, dynamo):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module, example = torch_network(torch, network)
    path = tmp_path / "net.onnx"
    dynamic = (
        {"dynamic_axes": {"x": {0: "batch"}}} if not dynamo else {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
    )
    torch.onnx.export(
        module, (example,), str(path), input_names=["x"], output_names=["y"], dynamo=dynamo, opset_version=18, **dynamic
    )
    source = OnnxSource()
    hub = normalize(source.read(path, ReadOptions()))
    assert_promises(hub)
    assert hub.inputs[0].shape[0] == "batch"
    expected = source.reference(path, ReadOptions()).run({"x": example.numpy()})["y"]
    found = hub_session(hub).run({"x": example.numpy()})["y"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    kinds = {node.op_type for node in hub.model.graph}
    assert not kinds & {"Shape", "BatchNormalization", "Erf", "Dropout", "Identity"}


def torch_network(torch, kind):
    nn = torch.nn
    if kind == "convolutional":
        layers = [
            nn.Conv2d(3, 8, 3, padding=1, stride=2),
            nn.BatchNorm2d(8),
            nn.Hardswish(),
            nn.Conv2d(8, 8, 3, groups=8),
        ]
        layers += [nn.BatchNorm2d(8), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(8, 5)]
        return nn.Sequential(*layers).eval(), torch.randn(2, 3, 16, 16)
    if kind == "transformer":
        return attention_block(torch), torch.randn(2, 6, 16)

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    return Recurrent().eval(), torch.randn(2, 5, 4)


def attention_block(torch):
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.project, self.out = torch.nn.LayerNorm(16), torch.nn.Linear(16, 48), torch.nn.Linear(16, 16)
            self.activation = torch.nn.GELU()

        def forward(self, x):
            heads = self.project(self.norm(x)).view(x.size(0), x.size(1), 3, 2, 8).permute(2, 0, 3, 1, 4)
            query, key, value = heads[0], heads[1], heads[2]
            weights = torch.softmax(query @ key.transpose(-2, -1) / 8**0.5, dim=-1)
            return x + self.out(self.activation((weights @ value).transpose(1, 2).reshape(x.size(0), x.size(1), 16)))

    return Block().eval()
