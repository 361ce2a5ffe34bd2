"""Inputs that become constants, and an If that they decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.errors import ConversionError, UsageError
from edgekit.protocols import ReadOptions, Silent
from edgekit.reading import open_reference, read_hub
from edgekit.recipe import Precision, Recipe
from edgekit.target import Target
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.fix_inputs import fix_inputs
from edgekit_converters.hub.run import hub_session
from edgekit_converters.hub.static import with_fixed_batch
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.quantize.scheme import scheme
from edgekit_converters.sources.onnx import OnnxSource

FAST, SLOW = 16000, 8000
X = np.array([[1.0, -2.0, 3.0]], np.float32)


@pytest.fixture
def switched(tmp_path: Path) -> Path:
    """``y = 2 x`` where the input ``rate`` is 16000, else ``y = -x``."""
    factors = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (("two", 2), ("minus", -1))]
    branches = [
        helper.make_graph(
            [helper.make_node("Mul", ["x", factor.name], [f"{factor.name}_y"])],
            factor.name,
            [],
            [helper.make_tensor_value_info(f"{factor.name}_y", TensorProto.FLOAT, ["batch", 3])],
            [factor],
        )
        for factor in factors
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Equal", ["rate", "fast"], ["is_fast"]),
            helper.make_node("If", ["is_fast"], ["y"], "choice", then_branch=branches[0], else_branch=branches[1]),
        ],
        "switched",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("rate", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor("fast", TensorProto.INT64, [], [FAST])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.mark.parametrize(("rate", "factor"), [(FAST, 2), (SLOW, -1)])
def test_a_fixed_input_leaves_one_branch(switched: Path, rate: int, factor: int) -> None:
    hub = read_hub(OnnxSource(), switched, ReadOptions(input_values={"rate": rate}))
    assert [spec.name for spec in hub.inputs] == ["x"]
    assert [node.op_type for node in hub.model.graph] in (["Mul"], ["Neg"])
    np.testing.assert_array_equal(hub_session(hub).run({"x": X})["y"], factor * X)


def test_the_reference_is_fed_the_fixed_value(switched: Path) -> None:
    options = ReadOptions(input_values={"rate": SLOW})
    reference = open_reference(OnnxSource(), switched, options, lambda: pytest.fail("the original runs"))
    assert reference.original
    assert [spec.name for spec in reference.session.inputs] == ["x"]
    np.testing.assert_array_equal(reference.session.run({"x": X})["y"], -X)


def test_an_undecided_branch_names_the_input_that_decides(switched: Path) -> None:
    hub = read_hub(OnnxSource(), switched, ReadOptions())
    for precision in (Precision.INT8, Precision.INT8_DYNAMIC, Precision.FLOAT16):
        reason = scheme(hub, Recipe(precision), Target("cpu", "this machine")).nodes["choice"].reason
        assert "--input-value rate=NUMBER" in reason


def test_a_shape_that_depends_on_the_branch_names_the_input_too(switched: Path) -> None:
    model = onnx.load(switched)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "size"
    for attribute in model.graph.node[1].attribute:
        attribute.g.output[0].type.tensor_type.shape.dim[1].dim_param = "size"
        attribute.g.node[0].op_type = "Compress" if attribute.name == "then_branch" else "Mul"
    onnx.save(model, switched)
    hub = read_hub(OnnxSource(), switched, ReadOptions())
    with pytest.raises(ConversionError, match=r"'choice' \(If\).*--input-value rate=NUMBER"):
        with_fixed_batch(hub, 1)


def test_an_input_of_any_reader_can_be_fixed() -> None:
    graph = GraphBuilder()
    x, gain = graph.input("x", "float32", ("batch", 3)), graph.input("gain", "float32", (1, 3))
    graph.output(graph.op("Mul", x, gain), "y")
    hub = fix_inputs(graph.build("test"), {"gain": 2.5})
    assert hub.fixed_inputs == ("gain",)
    np.testing.assert_array_equal(hub_session(hub).run({"x": X})["y"], 2.5 * X)
    assert fix_inputs(hub, {"gain": 2.5}) is hub


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"speed": 1}, "names the input 'speed'; the model's inputs are 'x', 'rate'"),
        ({"rate": 0.5}, "the input is int64, which can't hold that number"),
        ({"x": 1}, "its shape batchx3 is open; fix it with --input-shape"),
    ],
)
def test_values_that_cannot_be_are_refused(switched: Path, values: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_hub(OnnxSource(), switched, ReadOptions(input_values=values))


@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.FLOAT16, Precision.INT8_DYNAMIC])
def test_what_a_branch_alone_reads_is_planned(switched: Path, precision: Precision) -> None:
    recipe, target = Recipe(precision), Target("cpu", "a processor")
    hub = read_hub(OnnxSource(), switched, ReadOptions())
    assert quantize(hub, recipe, target, None, Silent()).plan.precision is precision
