"""Gates on a placement: limits as any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.fallback import fallbacks
from edgekit.figures import PlacementSummary
from edgekit.gates import FallbackLimit, FallbackUnit, PlacementGates, judged
from edgekit.protocols import PlacedOp, Placement, SessionOptions, Silent
from edgekit.recipe import Precision
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite
from edgekit_runtimes.litert import LiteRt

TAKEN = PlacedOp("a", "CONV_2D", "XNNPACK", "int8 -> int8", integer=True)
LEFT = PlacedOp("b", "CONV_2D", "builtin", "int8 -> int8", integer=True)


def summary(*ops: PlacedOp, macs: dict[str, int] | None) -> PlacementSummary:
    placement = Placement(ops)
    return PlacementSummary.of(placement, fallbacks(placement, (), macs, gated=True))


@pytest.mark.parametrize(("value", "passed"), [(20.0, False), (25.0, True)])
def test_a_share_of_the_arithmetic_may_be_left(value: float, passed: bool) -> None:
    gates = PlacementGates(fallback=FallbackLimit(value, FallbackUnit.MACS))
    (limit,) = gates.limits("m", summary(TAKEN, LEFT, macs={"a": 3, "b": 1}))
    assert (limit.found, limit.passed) == (25.0, passed)


@pytest.mark.parametrize(("value", "passed"), [(0, False), (1, True)])
def test_a_number_of_ops_may_be_left(value: float, passed: bool) -> None:
    gates = PlacementGates(fallback=FallbackLimit(value, FallbackUnit.OPS))
    (limit,) = gates.limits("m", summary(TAKEN, LEFT, macs=None))
    assert (limit.found, limit.passed) == (1.0, passed)


def test_what_cannot_be_counted_breaks_the_limit() -> None:
    gates = PlacementGates(fallback=FallbackLimit(100.0, FallbackUnit.MACS))
    (limit,) = gates.limits("m", summary(TAKEN, macs=None))
    assert limit.found is None
    assert not limit.passed
    assert not any(limit.passed for limit in gates.limits("m", None))


@pytest.mark.parametrize(("name", "passed"), [("xnnpack", True), ("openvino", False)])
def test_a_required_delegate_must_take_an_op(name: str, passed: bool) -> None:
    (limit,) = PlacementGates(required=(name,)).limits("m", summary(TAKEN, LEFT, macs=None))
    assert limit.name == f"delegate {name}"
    assert limit.passed is passed


def test_a_file_of_two_products_one_of_which_falls_back_is_counted_by_its_shapes(tmp_path: Path) -> None:
    """XNNPACK takes the float product; the reference kernels take none."""
    path = tmp_path / "m.tflite"
    graph = GraphBuilder()
    data = graph.input("x", "float32", (1, 4))
    graph.output(graph.op("MatMul", data, graph.constant([[1.0, 2.0, 3.0]] * 4)), "y")
    write_tflite(graph.build("test"), QuantPlan(Precision.FLOAT32), path, TfliteOptions())
    gates = PlacementGates(("xnnpack",), FallbackLimit(0.0, FallbackUnit.MACS))
    for kernels, share in (("default", 0.0), ("reference", 1.0)):
        placement = LiteRt().open(path, SessionOptions(kernels=kernels)).placement()
        found = judged(placement, path, (), gates, Silent())
        assert found.fallbacks is not None
        assert (found.fallbacks.macs, found.fallbacks.share_left) == (12, share)
        assert all(limit.passed is (share == 0.0) for limit in gates.limits("m", found))
