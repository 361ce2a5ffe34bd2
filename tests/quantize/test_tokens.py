"""What is quantized in networks over tokens, and how well the files answer."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from token_networks import NETWORKS, encoder, feeds, vision

from edgekit.protocols import Batch, Silent
from edgekit.recipe import Effort, IoType, Precision, Recipe
from edgekit.target import load_target
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.quantize.calibrate_feeds import real_tokens
from edgekit_converters.quantize.correct_products import correct_products
from edgekit_converters.quantize.quant_plan import Execution, Use
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.quantize.scheme import scheme
from edgekit_converters.quantize.tokens import FEWEST_OUTPUTS
from edgekit_converters.writers.onnx import OnnxOptions, write_onnx
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

CPU = load_target("cpu")


class Samples:
    def __init__(self, arrays):
        self.arrays = arrays

    def __len__(self):
        return len(next(iter(self.arrays.values())))

    def batches(self, size):
        for start in range(0, len(self), size):
            yield Batch({name: array[start : start + size] for name, array in self.arrays.items()})


def executions(hub, recipe, target=CPU):
    decided = scheme(hub, recipe, target)
    return {node.name: decided.nodes[node.name].execution for node in hub.model.graph}


def run_onnx(path, arrays):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options).run(None, arrays)[0]


def run_tflite(path, arrays):
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = interpreter_module.Interpreter(str(path))
    interpreter.allocate_tensors()
    answers = []
    for row in range(len(next(iter(arrays.values())))):
        for detail in interpreter.get_input_details():
            array = arrays[detail["name"]][row : row + 1]
            interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(answers)


def decibels(found, wanted):
    return 10 * np.log10(np.square(wanted).sum() / np.square(found - wanted).sum())


def test_products_read_integers_and_all_between_them_stays_float():
    found = executions(encoder(), Recipe())
    products = {f"{block}/{part}" for block in "ab" for part in ("q", "k", "v", "o", "up", "down")}
    assert {name for name, how in found.items() if how is Execution.PRODUCT} == products
    assert found["embedding"] is Execution.WEIGHT_ONLY
    assert Execution.INTEGER not in found.values()


def test_a_layer_before_the_tokens_computes_on_integers_and_a_head_behind_them_has_int8_weights():
    found = executions(vision(), Recipe())
    assert found["Conv"] is Execution.INTEGER
    assert found["head"] is Execution.WEIGHT_ONLY
    assert found["a/residual"] is Execution.FLOAT
    assert found["a/up"] is Execution.PRODUCT


def test_a_clamp_in_front_of_the_tokens_stays_with_its_convolution():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 4, 6, 6])
    x = graph.op(
        "Relu", graph.op("Conv", x, graph.constant(np.ones((16, 4, 1, 1), np.float32)), name="conv"), name="relu"
    )
    x = graph.op("Reshape", x, graph.constant(np.array([-1, 16, 36])), name="flat")
    scale = graph.constant(np.ones(36, np.float32))
    graph.output(graph.op("LayerNormalization", x, scale, axis=-1), "y")
    found = executions(graph.build("test"), Recipe())
    assert (found["conv"], found["relu"], found["flat"]) == (Execution.INTEGER, Execution.FUSED, Execution.FLOAT)


@pytest.mark.parametrize(
    ("columns", "kept"), [(FEWEST_OUTPUTS - 1, Execution.FLOAT), (FEWEST_OUTPUTS, Execution.WEIGHT_ONLY)]
)
def test_a_head_of_few_outputs_behind_a_recurrent_layer_stays_float(columns, kept):
    graph = GraphBuilder()
    weights = [graph.constant(np.ones((1, 96, size), np.float32)) for size in (8, 32)]
    x = graph.input("x", "float32", [7, "batch", 8])
    state = graph.ops("GRU", x, *weights, outputs=2, hidden_size=32)[1]
    rows = graph.op("Squeeze", state, graph.constant(np.array([0])))
    head = graph.op("Gemm", rows, graph.constant(np.ones((32, columns), np.float32)), name="head")
    graph.output(head, "y")
    found = executions(normalize(graph.build("test")), Recipe())
    assert found["head"] is kept
    assert executions(normalize(graph.build("test")), Recipe(io=IoType.INT8))["head"] is Execution.INTEGER


def test_dense_layers_of_other_networks_compute_on_integers():
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 6, 16])
    graph.output(graph.op("MatMul", x, graph.constant(np.ones((16, 8), np.float32)), name="dense"), "y")
    assert executions(graph.build("test"), Recipe())["dense"] is Execution.INTEGER


def test_without_samples_the_embedding_and_the_dense_layers_are_int8():
    found = executions(encoder(), Recipe(precision=Precision.INT8_DYNAMIC))
    assert found["embedding"] is Execution.WEIGHT_ONLY
    assert found["a/up"] is Execution.DYNAMIC


def test_padding_is_left_out_of_the_ranges():
    mask = np.array([[1, 1, 0], [1, 0, 0]])
    array = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2)
    assert real_tokens(array, {"attention_mask": mask}).tolist() == [[0, 1], [2, 3], [6, 7]]
    assert real_tokens(array, {}) is array
    assert real_tokens(array[:, :2], {"attention_mask": mask}).shape == (2, 2, 2)


def answers(hub, recipe, folder):
    """(what the ONNX file answers, the TFLite file, the hub in float), for the real tokens."""
    found = quantize(hub, recipe, CPU, Samples(feeds(hub, 64)), Silent())
    arrays = feeds(hub, 16, seed=9)
    wanted = hub_session(hub).run(arrays)["y"]
    kept = arrays.get("attention_mask", np.ones(wanted.shape[:-1])) != 0
    write_onnx(found.hub, found.plan, folder / "m.onnx", OnnxOptions())
    write_tflite(found.hub, found.plan, folder / "m.tflite", TfliteOptions())
    files = run_onnx(folder / "m.onnx", arrays), run_tflite(folder / "m.tflite", arrays)
    return *(answer[kept] for answer in files), wanted[kept]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT8_DYNAMIC])
def test_int8_answers_as_float_in_both_formats(name, precision, tmp_path):
    *found, wanted = answers(NETWORKS[name](), Recipe(precision=precision), tmp_path)
    for answer in found:
        assert decibels(answer, wanted) > 32.0


@pytest.mark.parametrize("name", NETWORKS)
def test_smoothing_makes_good_for_a_large_channel(name, tmp_path):
    hub = NETWORKS[name](outlier=10.0)
    smoothed, _, wanted = answers(hub, Recipe(), tmp_path)
    plain, _, _ = answers(hub, Recipe(effort=Effort.PLAIN), tmp_path)
    assert decibels(smoothed, wanted) > decibels(plain, wanted) + 1.0


def test_biases_take_out_the_mean_error_of_rounded_weights():
    """With inputs of mean 3, the error of a column's sum is nearly all mean; both formats read the same bias."""
    random = np.random.default_rng(0)
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", 6, 64])
    ones, threes = (graph.constant(np.full(64, number, np.float32)) for number in (1, 3))
    x = graph.op("LayerNormalization", x, ones, threes, axis=-1)
    y = graph.op("MatMul", x, graph.constant(random.standard_normal((64, 16)).astype(np.float32)), name="dense")
    graph.output(graph.op("Add", y, graph.constant(np.ones(16, np.float32)), name="bias"), "y")
    hub = graph.build("test")
    samples = Samples({"x": random.standard_normal((64, 6, 64)).astype(np.float32)})
    planned = quantize(hub, Recipe(effort=Effort.PLAIN), CPU, samples, Silent()).plan
    corrected = correct_products(hub, planned, samples, Silent())
    wanted = hub_session(hub, ["dense_out"]).run(samples.arrays)["dense_out"].mean(axis=(0, 1)) + 1.0
    normalized = hub_session(hub, [x.name]).run(samples.arrays)[x.name].mean(axis=(0, 1))
    errors = []
    for found in (planned, corrected):
        weight, bias = found.constants[Use("dense", 1)], found.constants[Use("bias", 1)]
        mean = normalized @ weight.params.dequantize(weight.integers) + bias.params.dequantize(bias.integers)
        errors.append(np.abs(mean - wanted).max())
    assert errors[1] < 0.02 * errors[0]


def test_onnx_runtime_computes_every_product_in_one_integer_kernel(tmp_path):
    hub = encoder()
    found = quantize(hub, Recipe(), CPU, Samples(feeds(hub, 32)), Silent())
    write_onnx(found.hub, found.plan, tmp_path / "m.onnx", OnnxOptions())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(tmp_path / "m.onnx", options)
    ops = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert ops.count("QGemm") == 12
    assert "DequantizeLinear" not in ops


@pytest.mark.parametrize("name", NETWORKS)
def test_attention_is_one_operator_where_the_runtime_knows_it(name, tmp_path):
    hub = NETWORKS[name]()
    found = quantize(hub, Recipe(), CPU, Samples(feeds(hub, 32)), Silent())
    arrays = feeds(hub, 4, seed=2)
    given = []
    for opset in (21, 23):
        path = tmp_path / f"{opset}.onnx"
        write_onnx(found.hub, found.plan, path, OnnxOptions(opset=opset))
        model = onnx.load(path)
        ops = [node.op_type for node in model.graph.node]
        assert model.opset_import[0].version == opset
        assert ops.count("Attention") == (2 if opset == 23 else 0)
        assert ops.count("Softmax") == (0 if opset == 23 else 2)
        given.append(run_onnx(path, arrays))
    kept = arrays.get("attention_mask", np.ones(given[0].shape[:-1])) != 0
    np.testing.assert_allclose(given[1][kept], given[0][kept], atol=0.02 * np.abs(given[0][kept]).max())


def test_products_of_open_length_keep_it(tmp_path):
    graph = GraphBuilder()
    x = graph.input("x", "float32", ["batch", "time", 32])
    ones, zeros = (graph.constant(np.full(32, number, np.float32)) for number in (1, 0))
    normalized = graph.op("LayerNormalization", x, ones, zeros, axis=-1)
    weight = np.random.default_rng(0).standard_normal((32, 8)).astype(np.float32)
    graph.output(graph.op("MatMul", normalized, graph.constant(weight)), "y")
    hub = graph.build("test")
    random = np.random.default_rng(1)
    samples = Samples({"x": random.standard_normal((8, 5, 32)).astype(np.float32)})
    found = quantize(hub, Recipe(), CPU, samples, Silent())
    write_onnx(found.hub, found.plan, tmp_path / "m.onnx", OnnxOptions())
    arrays = {"x": random.standard_normal((2, 7, 32)).astype(np.float32)}
    answer = run_onnx(tmp_path / "m.onnx", arrays)
    assert answer.shape == (2, 7, 8)
    assert decibels(answer, hub_session(hub).run(arrays)["y"]) > 25


def test_channels_computed_apart_are_added_by_the_product_that_makes_them(tmp_path):
    """In ONNX; an Add of its own would read and write every token again."""
    graph, random = GraphBuilder(), np.random.default_rng(0)
    scale = np.ones(32, np.float32)
    scale[:4] = 50.0
    x = graph.input("x", "float32", ["batch", 6, 32])
    x = graph.op("LayerNormalization", x, graph.constant(scale), graph.constant(np.zeros(32, np.float32)), axis=-1)
    weight, few = (random.standard_normal((rows, 24)).astype(np.float32) for rows in (32, 4))
    product = graph.op("MatMul", x, graph.constant(weight), name="product")
    product = graph.op("Add", product, graph.constant(random.standard_normal(24).astype(np.float32)))
    picked = graph.op("Gather", x, graph.constant(np.arange(4)), axis=-1)
    graph.output(graph.op("Add", product, graph.op("MatMul", picked, graph.constant(few), name="apart")), "y")
    hub = normalize(graph.build("test"))
    arrays = {"x": random.standard_normal((16, 6, 32)).astype(np.float32)}
    found = quantize(hub, Recipe(effort=Effort.PLAIN), CPU, Samples(arrays), Silent())
    write_onnx(found.hub, found.plan, tmp_path / "m.onnx", OnnxOptions())
    ops = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert (ops.count("Gemm"), ops.count("MatMul"), ops.count("Add")) == (2, 0, 0)
    assert decibels(run_onnx(tmp_path / "m.onnx", arrays), hub_session(hub).run(arrays)["y"]) > 35
