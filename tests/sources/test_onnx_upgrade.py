"""Operators whose form or meaning changed with the opset compute the same after reading: ONNX Runtime runs both."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import UnsupportedLayerError
from edgekit.protocols import ReadOptions
from edgekit_converters.hub.model import OPSET
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.sources.onnx import OnnxSource

RANDOM = np.random.default_rng(5)
FOUR = RANDOM.standard_normal((2, 4, 6, 6)).astype(np.float32)
THREE = FOUR[0]


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def write(path, opset, op, x, constants=(), outputs=1, domain="", **attributes):
    """One node that reads x and then the constants; a None is an omitted input."""
    names = ["x", *("" if array is None else f"c{index}" for index, array in enumerate(constants))]
    results = [f"y{index}" for index in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(op, names, results, domain=domain, **attributes)],
        "g",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [helper.make_empty_tensor_value_info(name) for name in results],
        [numpy_helper.from_array(np.asarray(array), f"c{i}") for i, array in enumerate(constants) if array is not None],
    )
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())


def assert_same(path, x):
    source = OnnxSource()
    hub = source.read(path, ReadOptions())
    assert hub.model.graph.opset_imports == {"": OPSET}
    expected = source.reference(path, ReadOptions()).run({"x": x})
    for result in (hub, normalize(hub)):
        found = hub_session(result).run({"x": x})
        assert list(found) == list(expected)
        for name, array in expected.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5)
    return hub


CASES = {
    "Softmax over the rest": (9, "Softmax", FOUR, (), {}),
    "Softmax over the last axis": (11, "Softmax", FOUR, (), {"axis": 3}),
    "LogSoftmax of a middle axis": (11, "LogSoftmax", THREE, (), {"axis": -2}),
    "Hardmax": (11, "Hardmax", FOUR, (), {"axis": 1}),
    "Upsample with attributes": (7, "Upsample", FOUR, (), {"scales": [1.0, 1.0, 2.0, 3.0], "mode": "nearest"}),
    "Upsample with an input": (9, "Upsample", FOUR, (np.float32([1, 1, 2, 2]),), {"mode": "linear"}),
    "Resize 10 nearest": (10, "Resize", FOUR, (np.float32([1, 1, 1.5, 2]),), {"mode": "nearest"}),
    "Resize 10 linear": (10, "Resize", FOUR, (np.float32([1, 1, 2, 2]),), {"mode": "linear"}),
    "Resize 11 by sizes": (
        11, "Resize", FOUR, (np.float32([]), np.float32([]), np.int64([2, 4, 9, 12])), {"mode": "nearest"},
    ),
    "Resize of TensorFlow": (
        11, "Resize", FOUR, (np.float32([]), np.float32([1, 1, 2, 2])),
        {"mode": "nearest", "coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"},
    ),
    "BatchNormalization 7": (
        7, "BatchNormalization", FOUR, (floats(4), floats(4), floats(4), np.abs(floats(4)) + 0.1), {"spatial": 1},
    ),
    "Slice by attributes": (9, "Slice", FOUR, (), {"starts": [1, -3], "ends": [99, -1], "axes": [1, 3]}),
    "Pad by attributes": (10, "Pad", THREE, (), {"pads": [0, 1, 0, 0, 2, 1], "value": 0.5}),
    "Pad by reflection": (10, "Pad", THREE, (), {"pads": [0, 1, 0, 0, 2, 1], "mode": "reflect"}),
    "Squeeze": (11, "Squeeze", FOUR[:, :1], (), {"axes": [1]}),
    "Squeeze everything": (11, "Squeeze", FOUR[:, :1], (), {}),
    "Unsqueeze": (11, "Unsqueeze", THREE, (), {"axes": [0, 2]}),
    "ReduceSum": (11, "ReduceSum", FOUR, (), {"axes": [2, 3], "keepdims": 0}),
    "ReduceMean": (13, "ReduceMean", FOUR, (), {"axes": [-1]}),
    "ReduceMax of everything": (12, "ReduceMax", FOUR, (), {}),
    "Split by attributes": (11, "Split", FOUR, (), {"axis": 1, "split": [1, 3], "outputs": 2}),
    "Split equally": (13, "Split", FOUR, (), {"axis": 2, "outputs": 3}),
    "TopK by attribute": (9, "TopK", FOUR, (), {"k": 2, "outputs": 2}),
    "Clip by attributes": (10, "Clip", FOUR, (), {"min": -0.5, "max": 0.7}),
    "Clip without an upper end": (7, "Clip", FOUR, (), {"min": 0.0}),
    "Dropout": (10, "Dropout", FOUR, (), {"ratio": 0.4}),
    "Dropout with its mask": (11, "Dropout", FOUR, (), {"outputs": 2}),
    "Scatter": (10, "Scatter", THREE, (np.int64([[[0, 2]]]), floats(1, 1, 2)), {"axis": 1}),
    "Cast": (8, "Cast", FOUR, (), {"to": TensorProto.INT32}),
    "RoiAlign": (
        10, "RoiAlign", FOUR, (np.float32([[0, 0, 4, 4], [1, 1, 5, 3]]), np.int64([0, 1])),
        {"output_height": 2, "output_width": 2, "sampling_ratio": 2},
    ),
    "GridSample": (16, "GridSample", FOUR, (np.tanh(floats(2, 3, 3, 2)),), {"mode": "bilinear"}),
    "GroupNormalization": (18, "GroupNormalization", FOUR, (floats(2), floats(2)), {"num_groups": 2}),
    "DFT": (17, "DFT", floats(1, 8, 1), (), {"axis": 1}),
    "MatMul": (7, "MatMul", THREE, (floats(6, 3),), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_computes_the_same(tmp_path, case):
    opset, op, x, constants, attributes = CASES[case]
    path = tmp_path / "old.onnx"
    write(path, opset, op, x, constants, **attributes)
    assert_same(path, x)


def test_normalization_of_every_position_by_itself(tmp_path):
    path = tmp_path / "old.onnx"
    scale, bias, mean, variance = floats(3, 2), floats(3, 2), floats(3, 2), np.abs(floats(3, 2)) + 0.1
    x = floats(5, 3, 2)
    write(path, 7, "BatchNormalization", x, (scale, bias, mean, variance), spatial=0, epsilon=1e-3)
    hub = OnnxSource().read(path, ReadOptions())
    expected = (x - mean) / np.sqrt(variance + 1e-3) * scale + bias
    np.testing.assert_allclose(hub_session(hub).run({"x": x})["y0"], expected, rtol=1e-4, atol=1e-5)


def test_softmax_of_unknown_rank_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "old.onnx"
    write(path, 11, "Softmax", FOUR)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    with pytest.raises(UnsupportedLayerError, match="Export the model with opset 13"):
        OnnxSource().read(path, ReadOptions())


def test_batch_normalization_in_training_is_refused(tmp_path):
    path = tmp_path / "old.onnx"
    write(path, 8, "BatchNormalization", FOUR, (floats(4),) * 4, outputs=3)
    with pytest.raises(UnsupportedLayerError, match="statistics"):
        OnnxSource().read(path, ReadOptions())


CONTRIB = {
    "Gelu": ("Gelu", (), {}),
    "FastGelu": ("FastGelu", (floats(6),), {}),
    "FastGelu without bias": ("FastGelu", (), {}),
    "BiasGelu": ("BiasGelu", (floats(6),), {}),
    "QuickGelu": ("QuickGelu", (), {"alpha": 1.5}),
    "FusedConv": ("FusedConv", (floats(3, 4, 3, 3), floats(3)), {"activation": "Relu", "pads": [1, 1, 1, 1]}),
    "FusedConv with a sum and Clip": (
        "FusedConv", (floats(3, 4, 3, 3), floats(3), floats(2, 3, 4, 4)),
        {"activation": "Clip", "activation_params": [-0.5, 0.5]},
    ),
    "FusedConv with LeakyRelu": (
        "FusedConv", (floats(3, 4, 1, 1), floats(3)), {"activation": "LeakyRelu", "activation_params": [0.2]},
    ),
    "FusedMatMul": ("FusedMatMul", (floats(2, 4, 5, 6),), {"transB": 1, "alpha": 0.5}),
    "SkipLayerNormalization": ("SkipLayerNormalization", (floats(2, 6, 6), floats(6), floats(6), floats(6)), {"outputs": 4}),
    "SkipSimplifiedLayerNormalization": ("SkipSimplifiedLayerNormalization", (floats(2, 6, 6), floats(6)), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRIB)
def test_operators_of_onnx_runtime_are_written_with_standard_ones(tmp_path, case):
    op, constants, attributes = CONTRIB[case]
    x = FOUR[:, 0].copy() if op.startswith("Skip") else FOUR
    path = tmp_path / "contrib.onnx"
    if attributes.get("outputs") == 4:
        write(path, 17, op, x, constants, domain="com.microsoft", **attributes)
        keep_outputs(path, ["y0", "y3"])
    else:
        write(path, 17, op, x, constants, domain="com.microsoft", **attributes)
    assert_same(path, x)


def keep_outputs(path, names):
    model = onnx.load(path)
    node = model.graph.node[0]
    for index, name in enumerate(node.output):
        node.output[index] = name if name in names else ""
    kept = [output for output in model.graph.output if output.name in names]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, path)
