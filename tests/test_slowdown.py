"""What makes a file slower than its float file, and which precision is the better choice."""

from __future__ import annotations

import pytest

from edgekit.protocols import PlacedOp, TimedOp
from edgekit.slowdown import Alternative, Slowdown, float_islands, op_costs, op_kind, suggest
from edgekit.slowdown_text import slowdown_lines


def op(name: str, ms: float, device: str = "CPUExecutionProvider", kernel: str = "uint8 -> uint8") -> TimedOp:
    return TimedOp(PlacedOp(name, name, device, kernel, integer=True), ms)


def alternative(precision: str, ratio: float, size_bytes: int, sqnr_db: float = 60.0) -> Alternative:
    return Alternative(precision, ratio, ratio, ratio * 0.99, ratio * 1.01, size_bytes, sqnr_db)


def slow(*alternatives: Alternative) -> Slowdown:
    return Slowdown("net.int8.onnx", "onnx", 1.5, 1.45, 1.55, 1.5, alternatives=alternatives)


@pytest.mark.parametrize(
    ("op_type", "kind"),
    [
        ("QLinearConv", "Conv"),
        ("FusedConv", "Conv"),
        ("NhwcFusedConv", "Conv"),
        ("QGemm", "MatMul and Gemm"),
        ("MatMulIntegerToFloat", "MatMul and Gemm"),
        ("DynamicQuantizeMatMul", "MatMul and Gemm"),
        ("DynamicQuantizeLSTM", "LSTM"),
        ("QuantizeLinear", "QuantizeLinear"),
        ("DynamicQuantizeLinear", "DynamicQuantizeLinear"),
        ("HARD_SWISH", "HARD_SWISH"),
        ("QUANTIZE", "QUANTIZE"),
    ],
)
def test_float_and_integer_kernels_of_an_op_are_one_kind(op_type: str, kind: str) -> None:
    assert op_kind(op_type) == kind


def test_what_costs_more_than_in_the_float_file_is_named_the_dearest_first() -> None:
    own = (op("QLinearConv", 1.0), op("QLinearConv", 0.5), op("QuantizeLinear", 0.75), op("QGemm", 2.0))
    costs = op_costs(own, (op("Conv", 1.25), op("MatMul", 3.0)), measured=True)
    assert [(cost.op, cost.count, cost.float_count, cost.extra_ms) for cost in costs] == [
        ("QuantizeLinear", 1, 0, 0.75),
        ("Conv", 2, 1, 0.25),
    ]


def test_ops_that_the_delegate_took_in_the_float_file_only_are_counted() -> None:
    own = (op("ADD", 0.1, "builtin"), op("ADD", 0.1, "XNNPACK"), op("QUANTIZE", 0.1, "builtin"))
    costs = op_costs(own, (op("ADD", 0.1, "XNNPACK"), op("ADD", 0.05, "XNNPACK")), measured=True)
    assert {cost.op: cost.outside for cost in costs} == {"ADD": 1, "QUANTIZE": 1}


def test_without_times_the_ops_that_came_in_or_left_the_delegate_are_named() -> None:
    own = (op("ADD", 0, "builtin"), op("CONV_2D", 0, "XNNPACK"), op("DEQUANTIZE", 0, "XNNPACK"))
    costs = op_costs(own, (op("ADD", 0, "XNNPACK"), op("CONV_2D", 0, "XNNPACK")), measured=False)
    assert [(cost.op, cost.ms) for cost in costs] == [("ADD", None), ("DEQUANTIZE", None)]


def test_float_ops_between_integer_ones_are_counted_and_conversions_are_not() -> None:
    floats = [TimedOp(PlacedOp(name, name, "", "", integer=False), 0.1) for name in ("Erf", "Erf", "DequantizeLinear")]
    assert float_islands([op("QLinearConv", 0.1), *floats]) == {"Erf": 2}
    assert float_islands(floats) == {}


def test_the_smallest_of_the_fastest_is_suggested() -> None:
    found = suggest(slow(alternative("float32", 1.0, 400), alternative("float16", 1.01, 200)))
    assert found is not None
    assert found.precision == "float16"


def test_a_faster_file_is_suggested_before_a_smaller_one() -> None:
    found = suggest(slow(alternative("float32", 1.0, 400), alternative("int8-dynamic", 1.2, 100)))
    assert found is not None
    assert found.precision == "float32"


def test_nothing_is_suggested_that_is_not_faster_beyond_doubt() -> None:
    assert suggest(slow(alternative("int8-dynamic", 1.45, 100))) is None


def test_a_file_that_computes_something_else_is_not_suggested() -> None:
    found = suggest(slow(alternative("float32", 1.0, 400), alternative("int8-dynamic", 0.5, 100, sqnr_db=3.0)))
    assert found is not None
    assert found.precision == "float32"


def test_the_sentences_say_so_where_nothing_is_faster() -> None:
    assert "no other precision was measurably faster" in slowdown_lines(slow(alternative("float32", 1.5, 400)))[-1]
