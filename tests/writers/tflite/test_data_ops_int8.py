"""Int8 rules of arithmetic and data movement: the file against float arithmetic on the decoded integers, in steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnxruntime_twin import Case, Fixed, case, fixed, floats, litert_outputs, onnxruntime_outputs, op_names

from edgekit.errors import ConversionError
from edgekit.recipe import IoType, Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.params import QuantParams, per_tensor
from edgekit_converters.quantize.quant_plan import Execution, Fusion, NodePlan, QuantizedConstant, QuantPlan, Use
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

WIDE, NARROW, OTHER = per_tensor(0.031, -7), per_tensor(0.024, 12), per_tensor(0.057, 3)
IMAGE = floats(1, 4, 6, 6)
GATE = floats(1, 4, 1, 1, seed=1)
PADS = fixed([0, 0, 1, 1, 0, 0, 1, 2])


@dataclass(frozen=True, slots=True)
class Int8Case:
    """``encodings`` of the inputs in order; ``steps`` is the largest difference allowed. ``in_float``: there is no int8
    kernel, so the file dequantizes, computes and quantizes."""

    node: Case
    encodings: tuple[QuantParams, ...]
    output: QuantParams
    steps: int
    in_float: bool = False

    def __str__(self) -> str:
        return str(self.node)


def rescaling(op: str, *inputs: NDArray[np.float32] | Fixed, **attributes: Any) -> Int8Case:
    """An op whose kernel rescales: every tensor has an encoding of its own."""
    return Int8Case(case(op, *inputs, **attributes), (WIDE, NARROW), OTHER, 1)


def moving(op: str, *inputs: NDArray[np.float32] | Fixed | None, outputs: int = 1, **attributes: Any) -> Int8Case:
    """An op that moves or picks integers: one encoding, no difference."""
    return Int8Case(case(op, *inputs, outputs=outputs, **attributes), (WIDE,) * len(inputs), WIDE, 0)


CASES = [
    *(rescaling(op, IMAGE, floats(1, 4, 6, 6, seed=1)) for op in ("Add", "Sub", "Mul")),
    *(rescaling(op, IMAGE, GATE) for op in ("Add", "Sub", "Mul")),
    *(rescaling(op, IMAGE, Fixed(GATE)) for op in ("Add", "Sub", "Mul")),
    rescaling("ReduceMean", IMAGE, fixed([2, 3])),
    rescaling("ReduceMean", IMAGE, fixed([1]), keepdims=0),
    rescaling("ReduceSum", 0.1 * IMAGE, fixed([2])),
    *(moving(op, IMAGE, floats(1, 4, 6, 6, seed=1)) for op in ("Max", "Min")),
    moving("Max", IMAGE, Fixed(GATE)),
    moving("ReduceMax", IMAGE, fixed([2, 3])),
    moving("ReduceMin", IMAGE, fixed([1]), keepdims=0),
    moving("Concat", IMAGE, floats(1, 2, 6, 6), axis=1),
    moving("Concat", IMAGE, Fixed(floats(1, 2, 6, 6)), floats(1, 1, 6, 6), axis=1),
    moving("Split", IMAGE, outputs=2, axis=1, num_outputs=2),
    moving("Split", IMAGE, fixed([1, 3]), outputs=2, axis=1),
    moving("Slice", IMAGE, fixed([1, 0]), fixed([3, 5]), fixed([1, 2])),
    moving("Slice", IMAGE, fixed([-1]), fixed([-100]), fixed([3]), fixed([-2])),
    moving("Pad", IMAGE, PADS),
    moving("Pad", IMAGE, PADS, fixed(1.55, "float32")),
    *(moving("Pad", IMAGE, PADS, mode=mode) for mode in ("reflect", "edge", "wrap")),
    moving("Pad", IMAGE, fixed([0, 0, -1, 1, 0, 0, 0, -2])),
    moving("Reshape", IMAGE, fixed([2, 72])),
    moving("Transpose", IMAGE, perm=[0, 2, 3, 1]),
    moving("Expand", GATE, fixed([2, 4, 3, 3])),
    moving("Tile", IMAGE, fixed([1, 1, 2, 1])),
    moving("Gather", IMAGE, fixed([3, 0, -1]), axis=2),
    moving("Resize", IMAGE, None, None, fixed([1, 4, 12, 12])),
    moving("Resize", IMAGE, None, None, fixed([1, 4, 9, 5]), nearest_mode="ceil"),
    Int8Case(case("Resize", IMAGE, None, None, fixed([1, 4, 12, 12]), mode="linear"), (WIDE,), WIDE, 1),
    Int8Case(case("Resize", IMAGE, None, None, fixed([1, 4, 9, 5]), mode="cubic"), (WIDE,), WIDE, 1, in_float=True),
    moving("DepthToSpace", IMAGE, blocksize=2),
    moving("DepthToSpace", IMAGE, blocksize=2, mode="CRD"),
    moving("SpaceToDepth", IMAGE, blocksize=2),
]


@pytest.mark.parametrize("kernels", ["default", "reference"])
@pytest.mark.parametrize("example", CASES, ids=str)
def test_int8_op_is_within_its_steps(example: Int8Case, kernels: str, tmp_path: Path) -> None:
    hub, real = example.node.hub()
    plan = planned(hub, example)
    given = {name: plan.values[name].quantize(array) for name, array in real.items()}
    decoded = {name: plan.values[name].dequantize(array) for name, array in given.items()}
    path = tmp_path / "model.tflite"
    write_tflite(hub, plan, path, TfliteOptions(io=IoType.INT8))
    assert ("DEQUANTIZE" in op_names(path)) == example.in_float
    found = litert_outputs(path, given, kernels)
    for name, array in onnxruntime_outputs(with_decoded_constants(hub, plan), decoded).items():
        wanted = example.output.quantize(array).astype(int)
        assert found[name].shape == wanted.shape
        assert np.abs(found[name].astype(int) - wanted).max() <= example.steps, name


def planned(hub: Hub, example: Int8Case) -> QuantPlan:
    """One INTEGER node with the example's encodings."""
    (node,) = [node for node in hub.model.graph if node.op_type == example.node.op]
    assert node.name is not None
    values = {str(value.name): example.output for value in node.outputs}
    constants = {}
    for index, (item, params) in enumerate(zip(example.node.inputs, example.encodings, strict=False)):
        if isinstance(item, np.ndarray):
            values[f"x{index}"] = params
        elif isinstance(item, Fixed) and item.array.dtype == np.float32 and item.array.ndim:
            constants[Use(node.name, index)] = QuantizedConstant(params.quantize(item.array), params)
    nodes = {node.name: NodePlan(Execution.INTEGER)}
    return QuantPlan(Precision.INT8, values, constants=constants, nodes=nodes)


def with_decoded_constants(hub: Hub, plan: QuantPlan) -> Hub:
    """The hub with the numbers that its quantized constants stand for."""
    copy = hub.clone()
    for node in copy.model.graph:
        for index, value in enumerate(node.inputs):
            stored = plan.constants.get(Use(str(node.name), index))
            if value is not None and stored is not None:
                value.const_value = ir.Tensor(stored.params.dequantize(stored.integers), name=value.name)
    return copy


BROKEN = {
    "Max": case("Max", IMAGE, IMAGE),
    "Concat": case("Concat", IMAGE, IMAGE, axis=1),
    "Pad": case("Pad", IMAGE, PADS),
    "ReduceMax": case("ReduceMax", IMAGE, fixed([2])),
}


@pytest.mark.parametrize("op", BROKEN)
def test_plan_that_breaks_a_shared_encoding_is_refused_by_name(op: str, tmp_path: Path) -> None:
    hub, _ = BROKEN[op].hub()
    plan = planned(hub, Int8Case(BROKEN[op], (WIDE, NARROW), OTHER, 0))
    with pytest.raises(ConversionError, match=f"node '{op}'.*scale 0.031"):
        write_tflite(hub, plan, tmp_path / "model.tflite", TfliteOptions())


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.INT8])
def test_activation_behind_arithmetic_is_fused(op: str, precision: Precision, tmp_path: Path) -> None:
    graph = GraphBuilder()
    raw = graph.op(op, graph.input("x0", "float32", (1, 8)), graph.input("x1", "float32", (1, 8)), name="sum")
    graph.output(graph.op("Relu", raw, name="clamp"), "y")
    hub, fusions = graph.build("test"), {"sum": Fusion("clamp", "y", implied=False)}
    nodes = {"sum": NodePlan(Execution.INTEGER), "clamp": NodePlan(Execution.FUSED)}
    plan = QuantPlan(precision, fusions=fusions)
    if precision is Precision.INT8:
        plan = QuantPlan(precision, {"x0": WIDE, "x1": NARROW, "y": OTHER}, fusions=fusions, nodes=nodes)
    path = tmp_path / "model.tflite"
    write_tflite(hub, plan, path, TfliteOptions())
    assert [name for name in op_names(path) if "QUANTIZE" not in name] == [op.upper()]
    feeds = {"x0": WIDE.dequantize(np.arange(-40, 40, 10, np.int8)[None]), "x1": NARROW.dequantize(np.int8([[9] * 8]))}
    expected = onnxruntime_outputs(hub, feeds)["y"]
    assert np.abs(litert_outputs(path, feeds)["y"] - expected).max() <= (
        1e-6 if precision is Precision.FLOAT32 else 0.057
    )
