"""The ONNX writer on small networks, checked in ONNX Runtime."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edgekit.recipe import IoType, Precision, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.params import QuantType
from edgekit_converters.quantize.plan import plan
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.quantize.scheme import scheme
from edgekit_converters.writers.onnx import OnnxOptions, write_onnx

RNG = np.random.default_rng(1)
CPU = Target("cpu", "this machine")


def residual_net() -> Hub:
    """Conv-Relu, Conv, Add-Relu, global pool, Gemm: every form of fusion that matters."""
    builder = GraphBuilder()

    def constant(*shape: int) -> object:
        return builder.constant((RNG.standard_normal(shape) / np.sqrt(max(np.prod(shape[1:]), 1))).astype(np.float32))

    x = builder.input("image", "float32", ["N", 3, 8, 8])
    stem = builder.op("Relu", builder.op("Conv", x, constant(8, 3, 3, 3), constant(8), name="stem", pads=[1] * 4))
    body = builder.op("Conv", stem, constant(8, 8, 3, 3), constant(8), name="body", pads=[1] * 4)
    joined = builder.op("Relu", builder.op("Add", body, stem, name="join"))
    pooled = builder.op("Flatten", builder.op("GlobalAveragePool", joined))
    builder.output(builder.op("Gemm", pooled, constant(8, 5), constant(5), name="head"), "logits")
    return builder.build("test")


def samples() -> np.ndarray:
    return RNG.standard_normal((32, 3, 8, 8)).astype(np.float32)


def exact_ranges(hub: Hub, names: tuple[str, ...], x: np.ndarray) -> dict[str, tuple[float, float]]:
    tapped = hub.clone().model
    values = {value.name: value for node in tapped.graph for value in node.outputs}
    wanted = [name for name in names if name in values and not values[name].is_graph_output()]
    tapped.graph.outputs.extend(values[name] for name in wanted)
    import onnx_ir as ir

    session = onnxruntime.InferenceSession(ir.to_proto(tapped).SerializeToString())
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"image": x}), strict=True))
    found["image"] = x
    return {name: (float(found[name].min()), float(found[name].max())) for name in names}


def planned(hub: Hub, recipe: Recipe, x: np.ndarray) -> QuantPlan:
    decided = scheme(hub, recipe, CPU)
    return plan(hub, recipe, CPU, decided, exact_ranges(hub, decided.observed, x))


def run(path: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {"image": x})[0]


def sqnr_db(reference: np.ndarray, found: np.ndarray) -> float:
    return 10 * np.log10((reference**2).sum() / ((reference - found) ** 2).sum())


@pytest.mark.parametrize("storage", [QuantType.UINT8, QuantType.INT8])
def test_the_int8_file_answers_close_to_the_float_hub(tmp_path, storage):
    hub, x = residual_net(), samples()
    path = tmp_path / "net.onnx"
    write_onnx(hub, planned(hub, Recipe(), x), path, OnnxOptions(activation_type=storage))
    (tmp_path / "float.onnx").write_bytes(hub.to_bytes())
    assert sqnr_db(run(tmp_path / "float.onnx", x), run(path, x)) > 30


def test_every_planned_node_becomes_an_integer_kernel(tmp_path):
    hub, x = residual_net(), samples()
    path = tmp_path / "net.onnx"
    write_onnx(hub, planned(hub, Recipe(), x), path, OnnxOptions())
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options)
    ops = collections.Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert (ops["QLinearConv"], ops["QLinearAdd"], ops["QGemm"]) == (2, 1, 1)
    assert (ops["QuantizeLinear"], ops["DequantizeLinear"]) == (1, 1)
    assert not {"Conv", "Relu", "Add", "Gemm"} & set(ops)


@pytest.mark.parametrize("io", [IoType.INT8, IoType.UINT8])
def test_integer_inputs_and_outputs_mean_what_the_float_file_says(tmp_path, io):
    hub, x = residual_net(), samples()
    quant = planned(hub, Recipe(), x)
    write_onnx(hub, quant, tmp_path / "float_io.onnx", OnnxOptions())
    write_onnx(hub, quant, tmp_path / "integer_io.onnx", OnnxOptions(io=io))
    storage = QuantType(QuantType[io.name].value)
    image, logits = quant.values["image"].stored_as(storage), quant.values["logits"].stored_as(storage)
    integers = run(tmp_path / "integer_io.onnx", image.quantize(x))
    assert integers.dtype == storage.dtype
    np.testing.assert_array_equal(logits.dequantize(integers), run(tmp_path / "float_io.onnx", x))


def test_the_batch_stays_symbolic_and_names_are_kept(tmp_path):
    hub, x = residual_net(), samples()
    path = tmp_path / "net.onnx"
    write_onnx(hub, planned(hub, Recipe(), x), path, OnnxOptions())
    session = onnxruntime.InferenceSession(path)
    assert [(v.name, v.shape) for v in session.get_inputs()] == [("image", ["N", 3, 8, 8])]
    assert [v.name for v in session.get_outputs()] == ["logits"]
    onnx.checker.check_model(onnx.load(path), full_check=True)


@pytest.mark.parametrize(("precision", "least_db"), [(Precision.INT8_DYNAMIC, 30), (Precision.FLOAT16, 60)])
def test_small_weights_without_samples_keep_the_answer(tmp_path, precision, least_db):
    hub, x = residual_net(), samples()
    path = tmp_path / "net.onnx"
    recipe = Recipe(precision=precision)
    write_onnx(hub, plan(hub, recipe, CPU, scheme(hub, recipe, CPU), {}), path, OnnxOptions())
    (tmp_path / "float.onnx").write_bytes(hub.to_bytes())
    assert sqnr_db(run(tmp_path / "float.onnx", x), run(path, x)) > least_db
    assert path.stat().st_size < (tmp_path / "float.onnx").stat().st_size


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"the good file")
    hub = residual_net()
    quant = planned(hub, Recipe(), samples())

    def full_disk(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_onnx(hub, quant, path, OnnxOptions())
    assert path.read_bytes() == b"the good file"
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.onnx"]


def test_writing_leaves_the_hub_as_it_was(tmp_path):
    hub, x = residual_net(), samples()
    quant = planned(hub, Recipe(), x)
    before = hub.to_bytes()
    write_onnx(hub, quant, tmp_path / "net.onnx", OnnxOptions(io=IoType.UINT8))
    assert hub.to_bytes() == before


def test_int8_weights_of_float_convolutions_are_folded_when_the_file_loads(tmp_path):
    hub = residual_net()
    recipe = Recipe(precision=Precision.INT8_DYNAMIC)
    path, optimized = tmp_path / "net.onnx", tmp_path / "optimized.onnx"
    write_onnx(hub, plan(hub, recipe, CPU, scheme(hub, recipe, CPU), {}), path, OnnxOptions())
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(optimized), 3
    onnxruntime.InferenceSession(path, options)
    ops = {node.op_type for node in onnx.load(optimized).graph.node}
    assert "Cast" not in ops
    assert "DequantizeLinear" not in ops
    assert "DynamicQuantizeMatMul" in ops, "the dense layer runs on integers"
