"""The file as a whole: names, element types of inputs and outputs, layout, precisions, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flat_file import is_float32, opened, tensors, versions
from int8_twin import IntegerModel, random_integers, simulated
from onnxruntime_twin import (
    assert_equal_outputs,
    floats,
    litert_outputs,
    onnxruntime_outputs,
    op_names,
    open_interpreter,
)

from edgekit.errors import ConversionError, UnsupportedOpError, UsageError
from edgekit.recipe import IoType, Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.params import per_tensor
from edgekit_converters.quantize.quant_plan import Execution, Fusion, NodePlan, QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, flatbuffer, write_tflite

FLOAT = QuantPlan(Precision.FLOAT32)


def small_network(batch: int | str = 1) -> Hub:
    """Conv, Clip, depthwise Conv, Add, global average, Gemm, from (N, 3, 16, 16)."""
    graph = GraphBuilder()
    x = graph.input("image", "float32", (batch, 3, 16, 16))
    bounds = [graph.constant(np.array(bound, np.float32)) for bound in (0.0, 6.0)]
    stem = graph.op("Conv", x, graph.constant(floats(8, 3, 3, 3)), pads=[1, 1, 1, 1], name="stem")
    clipped = graph.op("Clip", stem, *bounds, name="clip")
    deep = graph.op("Conv", clipped, graph.constant(floats(8, 1, 3, 3)), group=8, pads=[1, 1, 1, 1], name="deep")
    pooled = graph.op("GlobalAveragePool", graph.op("Add", clipped, deep, name="add"), name="pool")
    flat = graph.op("Flatten", pooled, name="flatten")
    graph.output(graph.op("Gemm", flat, graph.constant(floats(10, 8)), transB=1, name="head"), "logits")
    return graph.build("test")


def integer_network() -> IntegerModel:
    model = IntegerModel()
    x = model.input("image", (1, 3, 16, 16), 0.02, -3)
    weights = model.weights("stem", 8, 3, 3, 3)
    stem = model.op(
        "Conv", x, weights, model.bias("stem", 8, x), output=per_tensor(0.04, -128), pads=[1, 1, 1, 1], name="stem"
    )
    pooled = model.op("GlobalAveragePool", stem, output=per_tensor(0.011, -128), name="pool")
    flat = model.op("Flatten", pooled, output=per_tensor(0.011, -128), name="flatten")
    head = model.op(
        "Gemm",
        flat,
        model.weights("head", 10, 8),
        model.bias("head", 10, flat),
        output=per_tensor(0.031, 7),
        transB=1,
        name="head",
    )
    model.output(head, "logits")
    return model


def is_one_partition(path: Path) -> bool:
    interpreter = open_interpreter(path, "default")
    parts = [op for op in interpreter._get_ops_details() if op["op_name"] == "DELEGATE"]
    ends = {detail["index"] for detail in (*interpreter.get_input_details(), *interpreter.get_output_details())}
    return len(parts) == 1 and ends <= {*parts[0]["inputs"], *parts[0]["outputs"]}


def test_the_signature_and_the_tensors_bear_the_users_names(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    write_tflite(small_network(), FLOAT, path, TfliteOptions())
    interpreter = open_interpreter(path, "default")
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["image"], "outputs": ["logits"]}}
    assert [detail["name"] for detail in interpreter.get_input_details()] == ["image"]
    assert [detail["name"] for detail in interpreter.get_output_details()] == ["logits"]


def test_a_network_of_channels_first_is_transposed_once_at_its_input(tmp_path: Path) -> None:
    assert_equal_outputs(small_network(), {"image": floats(1, 3, 16, 16)}, tmp_path, tolerance=1e-4)
    assert op_names(tmp_path / "model.tflite").count("TRANSPOSE") == 1


def test_a_symbolic_batch_is_fixed(tmp_path: Path) -> None:
    path, x = tmp_path / "model.tflite", floats(2, 3, 16, 16)
    hub = small_network("N")
    write_tflite(hub, FLOAT, path, TfliteOptions(batch=2))
    np.testing.assert_allclose(
        litert_outputs(path, {"image": x})["logits"],
        onnxruntime_outputs(hub, {"image": x})["logits"],
        rtol=1e-5,
        atol=1e-4,
    )


def test_a_float_and_an_int8_network_are_one_partition(tmp_path: Path) -> None:
    for name, hub, plan in (
        ("float", small_network(), FLOAT),
        ("int8", integer_network().hub(), integer_network().plan()),
    ):
        path = tmp_path / f"{name}.tflite"
        write_tflite(hub, plan, path, TfliteOptions())
        assert is_one_partition(path), name


@pytest.mark.parametrize("io", [IoType.FLOAT32, IoType.UINT8])
def test_inputs_and_outputs_of_another_type_hold_the_same_numbers(io: IoType, tmp_path: Path) -> None:
    model, path = integer_network(), tmp_path / "model.tflite"
    image = random_integers(model.hub())["image"]
    write_tflite(model.hub(), model.plan(), path, TfliteOptions(io=IoType.INT8))
    expected = litert_outputs(path, {"image": image})["logits"]
    assert expected.dtype == np.int8
    write_tflite(model.hub(), model.plan(), path, TfliteOptions(io=io))
    if io is IoType.UINT8:
        found = litert_outputs(path, {"image": (image.astype(np.int16) + 128).astype(np.uint8)})["logits"]
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found.astype(np.int16) - 128, expected)
    else:
        found = litert_outputs(path, {"image": model.values["image"].dequantize(image)})["logits"]
        np.testing.assert_array_equal(found, model.values["logits"].dequantize(expected))


def test_int8_outputs_of_a_float_plan_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="keeps 'image' in float"):
        write_tflite(small_network(), FLOAT, tmp_path / "model.tflite", TfliteOptions(io=IoType.INT8))
    assert not list(tmp_path.iterdir())


def test_a_float_tensor_in_an_integer_only_file_is_refused(tmp_path: Path) -> None:
    model, path = integer_network(), tmp_path / "model.tflite"
    with pytest.raises(ConversionError, match="may hold no float operators"):
        write_tflite(small_network(), FLOAT, path, TfliteOptions(integer_only=True))
    write_tflite(model.hub(), model.plan(), path, TfliteOptions(integer_only=True, io=IoType.INT8))
    assert not any(is_float32(tensor) for tensor in tensors(path))


def test_an_integer_only_file_may_begin_and_end_in_float(tmp_path: Path) -> None:
    model, path = integer_network(), tmp_path / "model.tflite"
    write_tflite(model.hub(), model.plan(), path, TfliteOptions(integer_only=True))
    assert len([tensor for tensor in tensors(path) if is_float32(tensor)]) == 2


def test_an_unknown_op_is_refused_by_name(tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (1, 4, 4))
    graph.output(graph.op("Det", x, name="determinant"), "y")
    with pytest.raises(UnsupportedOpError, match="'determinant' uses Det"):
        write_tflite(graph.build("test"), FLOAT, tmp_path / "model.tflite", TfliteOptions())


def test_an_integer_node_without_an_encoding_is_refused(tmp_path: Path) -> None:
    model = integer_network()
    del model.values["image"]
    with pytest.raises(ConversionError, match=r"'stem'.*no encoding"):
        write_tflite(model.hub(), model.plan(), tmp_path / "model.tflite", TfliteOptions())


def test_a_batch_of_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="batch is 0"):
        TfliteOptions(batch=0)


def test_an_input_that_is_an_output_too_is_copied(tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (2, 3))
    graph.output(x, "same")
    graph.output(graph.op("Transpose", x), "swapped")
    assert_equal_outputs(graph.build("test"), {"x": floats(2, 3)}, tmp_path)


def test_one_value_under_two_output_names(tmp_path: Path) -> None:
    graph = GraphBuilder()
    y = graph.op("Relu", graph.input("x", "float32", (2, 3)))
    graph.output(y, "first")
    graph.output(y, "second")
    assert_equal_outputs(graph.build("test"), {"x": floats(2, 3)}, tmp_path)


def test_a_constant_that_is_an_output_is_copied(tmp_path: Path) -> None:
    graph = GraphBuilder()
    graph.output(graph.op("Relu", graph.input("x", "float32", (2, 3))), "y")
    graph.output(graph.constant(floats(2, 2)), "table")
    assert_equal_outputs(graph.build("test"), {"x": floats(2, 3)}, tmp_path)


def test_a_model_that_exceeds_the_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatbuffer, "_LIMIT_BYTES", 1000)
    with pytest.raises(ConversionError, match="at most 2 GiB"):
        write_tflite(small_network(), FLOAT, tmp_path / "model.tflite", TfliteOptions())
    assert not list(tmp_path.iterdir())


def test_one_dimensional_convolutions_are_reshaped_at_the_ends_only(tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (1, 4, 16))
    hidden = graph.op("MaxPool", graph.op("Conv", x, graph.constant(floats(4, 4, 3))), kernel_shape=[2])
    graph.output(graph.op("Conv", hidden, graph.constant(floats(4, 4, 3))), "y")
    assert_equal_outputs(graph.build("test"), {"x": floats(1, 4, 16)}, tmp_path, tolerance=1e-4)
    assert op_names(tmp_path / "model.tflite").count("RESHAPE") == 2


def test_equal_constants_are_stored_once(tmp_path: Path) -> None:
    graph = GraphBuilder()
    x = graph.input("x", "float32", (1, 64))
    for name in ("a", "b"):
        graph.output(graph.op("MatMul", x, graph.constant(floats(64, 64))), name)
    path = tmp_path / "model.tflite"
    write_tflite(graph.build("test"), FLOAT, path, TfliteOptions())
    assert path.stat().st_size < 1.5 * 64 * 64 * 4


def test_every_buffer_is_aligned_to_16_bytes(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    path = tmp_path / "model.tflite"
    write_tflite(small_network(), FLOAT, path, TfliteOptions())
    content = path.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    assert content[4:8] == b"TFL3"
    assert model.Buffers(0).DataIsNone()
    for index in range(1, model.BuffersLength()):
        buffer = model.Buffers(index)
        assert buffer._tab.Vector(buffer._tab.Offset(4)) % 16 == 0


@pytest.mark.parametrize("bounds", [(0.0, 6.0), (0.0, 1.5), (-1.0, 1.0)])
def test_a_fused_clip_cuts_what_the_encoding_does_not(bounds: tuple[float, float], tmp_path: Path) -> None:
    model = IntegerModel()
    x = model.input("x", (1, 4, 8, 8))
    low, high = (model.graph.constant(np.array(bound, np.float32)) for bound in bounds)
    raw = model.op("Conv", x, model.weights("conv", 6, 4, 3, 3), model.bias("conv", 6, _input(model)), name="conv")
    clipped = model.op("Clip", raw, low, high, output=per_tensor(0.0613, -20), name="clip")
    model.output(clipped)
    model.executions["clip"] = Execution.FUSED
    model.fusions["conv"] = Fusion("clip", "y", implied=False)
    path = tmp_path / "model.tflite"
    feeds = random_integers(model.hub())
    write_tflite(model.hub(), model.plan(), path, TfliteOptions(io=IoType.INT8))
    found = litert_outputs(path, feeds)["y"].astype(int)
    assert np.abs(found - simulated(model, feeds)["y"].astype(int)).max() <= 1


def _input(model: IntegerModel) -> object:
    return model.graph._graph.inputs[0]


def test_a_float_network_fuses_what_the_plan_fuses(tmp_path: Path) -> None:
    path, hub = tmp_path / "model.tflite", small_network()
    nodes = {"clip": NodePlan(Execution.FUSED)}
    plan = QuantPlan(Precision.FLOAT32, fusions={"stem": Fusion("clip", "clip_out", implied=False)}, nodes=nodes)
    write_tflite(hub, plan, path, TfliteOptions())
    assert "RELU6" not in op_names(path)
    x = {"image": floats(1, 3, 16, 16)}
    np.testing.assert_allclose(
        litert_outputs(path, x)["logits"], onnxruntime_outputs(hub, x)["logits"], rtol=1e-5, atol=1e-4
    )


def quantized_weights(execution: Execution) -> tuple[Hub, QuantPlan]:
    """The integer network with its weights alone in int8."""
    model = integer_network()
    nodes = {name: NodePlan(execution) for name in ("stem", "head")}
    weights = {use: constant for use, constant in model.constants.items() if use.index == 1}
    return model.hub(), QuantPlan(Precision.INT8_DYNAMIC, constants=weights, nodes=nodes)


def test_int8_weights_alone_answer_as_their_floats(tmp_path: Path) -> None:
    hub, plan = quantized_weights(Execution.WEIGHT_ONLY)
    path, x = tmp_path / "model.tflite", {"image": floats(1, 3, 16, 16)}
    write_tflite(hub, plan, path, TfliteOptions())
    assert versions(path)["DEQUANTIZE"] == 5
    for kernels in ("default", "reference"):
        np.testing.assert_allclose(
            litert_outputs(path, x, kernels)["logits"], onnxruntime_outputs(hub, x)["logits"], atol=2e-3
        )


def test_hybrid_kernels_have_their_versions(tmp_path: Path) -> None:
    hub, plan = quantized_weights(Execution.DYNAMIC)
    path, x = tmp_path / "model.tflite", {"image": floats(1, 3, 16, 16)}
    write_tflite(hub, plan, path, TfliteOptions())
    assert versions(path) == {"TRANSPOSE": 1, "CONV_2D": 5, "MEAN": 1, "RESHAPE": 1, "FULLY_CONNECTED": 12}
    expected = onnxruntime_outputs(hub, x)["logits"]
    for kernels in ("default", "reference"):
        found = litert_outputs(path, x, kernels)["logits"]
        assert np.abs(found - expected).max() <= 0.02 * np.abs(expected).max()


def test_int8_kernels_have_their_versions(tmp_path: Path) -> None:
    model, path = integer_network(), tmp_path / "model.tflite"
    write_tflite(model.hub(), model.plan(), path, TfliteOptions(io=IoType.INT8))
    assert versions(path) == {"TRANSPOSE": 2, "CONV_2D": 3, "MEAN": 2, "RESHAPE": 1, "FULLY_CONNECTED": 4}
    for code in opened(path).operatorCodes:
        assert code.deprecatedBuiltinCode == min(code.builtinCode, 127)


def test_float16_weights_halve_the_file(tmp_path: Path) -> None:
    hub = small_network()
    nodes = {node.name: NodePlan(Execution.WEIGHT_ONLY) for node in hub.model.graph if node.name}
    x = {"image": floats(1, 3, 16, 16)}
    path = tmp_path / "model.tflite"
    write_tflite(hub, QuantPlan(Precision.FLOAT16, nodes=nodes), path, TfliteOptions())
    assert is_one_partition(path)
    expected = onnxruntime_outputs(hub, x)["logits"]
    assert np.abs(litert_outputs(path, x)["logits"] - expected).max() <= 2e-3 * np.abs(expected).max()
