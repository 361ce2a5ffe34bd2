"""What delegates leave to the CPU, counted and explained."""

from __future__ import annotations

import pytest

from edgekit.fallback import fallbacks, macs_by_op, same_delegate
from edgekit.fallback_advice import NO_DELEGATE, RULES, UNKNOWN, advise
from edgekit.fallback_text import fallback_lines
from edgekit.protocols import Delegate, PlacedOp, Placement

CONV = PlacedOp("CONV_2D:0", "CONV_2D", "XNNPACK", "int8 -> int8", integer=True)
POOL = PlacedOp("AVERAGE_POOL_2D:1", "AVERAGE_POOL_2D", "builtin", "int8 -> int8", integer=True)
DENSE = PlacedOp("FULLY_CONNECTED:2", "FULLY_CONNECTED", "builtin", "float32 x int8 -> float32", integer=True)
MACS = {"CONV_2D:0": 300, "AVERAGE_POOL_2D:1": 0, "FULLY_CONNECTED:2": 100}


def test_the_share_that_is_left_is_one_of_multiply_accumulates() -> None:
    left = fallbacks(Placement((CONV, POOL, DENSE)), (), MACS)
    assert left is not None
    assert (left.delegates, left.ops, left.ops_left) == (("XNNPACK",), 3, 2)
    assert (left.macs, left.macs_left, left.share_left) == (400, 100, 0.25)


def test_the_heaviest_kind_comes_first_with_its_reason_and_what_to_change() -> None:
    left = fallbacks(Placement((CONV, POOL, DENSE)), (), MACS)
    assert left is not None
    assert [kind.op for kind in left.kinds] == ["FULLY_CONNECTED", "AVERAGE_POOL_2D"]
    assert left.kinds[0].macs == 100
    assert "hybrid" in left.kinds[0].why
    assert "--precision int8 --calibrate" in left.kinds[0].suggestion
    assert "a mean over height and width" in left.kinds[1].suggestion


def test_the_runtimes_own_reason_wins_over_the_tables() -> None:
    told = PlacedOp("s", "SOFTMAX", "builtin", "int8 -> int8", integer=True, why="beta is 2")
    left = fallbacks(Placement((CONV, told)), (), None)
    assert left is not None
    assert left.kinds[0].why == "beta is 2"
    assert "leave the softmax float" in left.kinds[0].suggestion


def test_without_any_delegate_there_is_nothing_to_say_unless_a_gate_asks() -> None:
    plain = Placement((POOL, DENSE))
    assert fallbacks(plain, (), MACS) is None
    left = fallbacks(plain, (), MACS, gated=True)
    assert left is not None
    assert left.share_left == 1.0
    assert {kind.why for kind in left.kinds} == {NO_DELEGATE.why}


def test_the_cpu_is_no_delegate_even_where_it_is_asked_for() -> None:
    op = PlacedOp("c", "Conv", "CPUExecutionProvider", "float32 -> float32", integer=False)
    left = fallbacks(Placement((op,)), (Delegate("cpu"),), {"c": 7}, gated=True)
    assert left is not None
    assert left.share_left == 1.0


def test_a_delegate_that_took_nothing_left_everything() -> None:
    left = fallbacks(Placement((POOL,)), (Delegate("libnpu"),), {})
    assert left is not None
    assert (left.ops_left, left.share_left) == (1, 1.0)


def test_arithmetic_that_no_op_is_found_for_counts_as_left() -> None:
    loop = PlacedOp("WHILE:1", "WHILE", "builtin", "float32 -> float32", integer=False)
    left = fallbacks(Placement((CONV, loop)), (), {"CONV_2D:0": 300, "WHILE:1": 0, "in its body": 100})
    assert left is not None
    assert left.share_left == 0.25


def test_where_no_op_is_left_no_arithmetic_is() -> None:
    whole = PlacedOp("partition_0", "Partition", "NPUExecutionProvider", "compiled", integer=False)
    left = fallbacks(Placement((whole,)), (), MACS)
    assert left is not None
    assert left.share_left == 0.0


def test_a_name_on_both_sides_counts_as_left_and_once() -> None:
    twin = PlacedOp("CONV_2D:0", "CONV_2D", "builtin", "int8 -> int8", integer=True)
    left = fallbacks(Placement((CONV, twin, twin)), (), {"CONV_2D:0": 300})
    assert left is not None
    assert (left.macs_left, left.kinds[0].macs, left.kinds[0].count) == (300, 300, 2)


def test_macs_find_the_runtimes_own_spellings_of_names() -> None:
    ops = [
        PlacedOp(name, op, "CPUExecutionProvider", "", integer=True)
        for name, op in (
            ("depthwise_conv2d_token_10", "QLinearConv"),
            ("conv2d_1_token_3", "QLinearConv"),
            ("conv2d_token_0", "QLinearConv"),
            ("scores/Reshape", "Reshape"),
            ("scores/MatMulScaleFusion/", "FusedMatMul"),
        )
    ]
    macs = {"conv2d": 1, "conv2d_1": 2, "depthwise_conv2d": 4, "scores": 8}
    assert macs_by_op(ops, macs) == {
        "depthwise_conv2d_token_10": 4,
        "conv2d_1_token_3": 2,
        "conv2d_token_0": 1,
        "scores/Reshape": 0,
        "scores/MatMulScaleFusion/": 8,
    }


@pytest.mark.parametrize(
    ("device", "name", "same"),
    [
        ("OpenVINOExecutionProvider", "openvino", True),
        ("XNNPACK", "xnnpack", True),
        ("libnpu", "libnpu", True),
        ("CUDAExecutionProvider", "tensorrt", False),
    ],
)
def test_devices_are_known_by_their_short_names(device: str, name: str, same: bool) -> None:
    assert same_delegate(device, name) is same


def test_every_op_gets_advice() -> None:
    strange = PlacedOp("x", "STRANGE", "builtin", "float32 -> float32", integer=False)
    assert advise(strange, ("libnpu",)) == UNKNOWN
    assert all(rule.advice.suggestion for rule in RULES)


def test_what_runtimes_say_of_shapes_leads_to_fixing_them() -> None:
    op = PlacedOp("x", "Conv", "CPUExecutionProvider", "", integer=False, why="input has a dynamic shape")
    assert "--input-shape" in advise(op, ("QNNExecutionProvider",)).suggestion


def test_the_text_gives_each_piece_of_advice_once() -> None:
    pools = [PlacedOp(f"p{n}", "AVERAGE_POOL_2D", "builtin", f"int8 -> {t}", integer=True) for n, t in enumerate("ab")]
    left = fallbacks(Placement((CONV, *pools)), (), MACS)
    assert left is not None
    lines = fallback_lines(left)
    assert sum("what to do" in line for line in lines) == 1
    assert "2 of 3 ops, 25.00 % of the multiply-accumulates" in lines[0]


def test_nothing_is_said_where_nothing_was_left() -> None:
    left = fallbacks(Placement((CONV,)), (), MACS)
    assert left is not None
    assert fallback_lines(left) == []
