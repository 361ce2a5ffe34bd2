"""Branches and loops that stay: IF and WHILE in TFLite against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest
from onnxruntime_twin import Arrays, assert_equal_outputs, floats, op_names

from edgekit.errors import ConversionError
from edgekit.recipe import Precision
from edgekit_converters.hub import Hub
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'
LOOP = """
main (float[2,3] x, float[3,3] w) => (float[2,3] last, float[40,2,3] all) <int64 count = {40}, bool yes = {1}>
{
  last, all = Loop (count, yes, x) <body = body (int64 i, bool going, float[2,3] before)
    => (bool onward, float[2,3] after, float[2,3] kept) {
      onward = Identity (going)
      product = MatMul (before, w)
      number = Cast <to = 1> (i)
      moved = Add (product, number)
      after = Tanh (moved)
      kept = Mul (after, x)
  }>
}
"""
ENDED = """
main (float[3] x, int64[1] limit) => (float[3] last, int64 rounds) <bool yes = {1}, int64 zero = {0}, float ten = {10.0}>
{
  most = Squeeze (limit)
  last, rounds = Loop (most, yes, x, zero) <body = body (int64 i, bool going, float[3] before, int64 counted)
    => (bool onward, float[3] after, int64 more) <int64 one = {1}> {
      after = Add (before, before)
      largest = ReduceMax <keepdims = 0> (after)
      onward = Less (largest, ten)
      more = Add (counted, one)
  }>
}
"""
SCAN = """
main (float[2] start, float[2,30] x) => (float[2] last, float[2,30] all) <float half = {0.5}>
{
  last, all = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1], scan_input_directions = [1],
    scan_output_directions = [1], body = body (float[2] before, float[2] slice) => (float[2] after, float[2] square) {
      faded = Mul (before, half)
      after = Add (faded, slice)
      square = Mul (after, after)
  }> (start, x)
}
"""
BRANCH = """
main (float[2,3] x, float[2,3] y, bool choice) => (float[2,3] z, float[2,3] same)
{
  z, same = If (choice) <
    then_branch = first () => (float[2,3] a, float[2,3] b) { a = Add (x, y)
      b = Identity (y) },
    else_branch = second () => (float[2,3] c, float[2,3] d) <float[1] two = {2.0}> { c = Mul (x, two)
      d = Sub (c, y) }>
}
"""


def hub_of(text: str) -> Hub:
    proto = onnx.parser.parse_model(HEAD + text.strip())
    onnx.checker.check_model(proto, full_check=True)
    return normalize(Hub(ir.from_proto(proto), "test"))


def builtins_of(hub: Hub, feeds: Arrays, folder: Path) -> list[str]:
    assert_equal_outputs(hub, feeds, folder, tolerance=2e-5)
    return op_names(folder / "model.tflite")


def test_a_long_loop_with_values_from_outside_is_a_while(tmp_path: Path) -> None:
    assert "WHILE" in builtins_of(hub_of(LOOP), {"x": floats(2, 3), "w": floats(3, 3, low=-1, high=1)}, tmp_path)


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_a_loop_ends_by_its_condition_or_its_computed_number_of_rounds(limit: int, tmp_path: Path) -> None:
    feeds = {"x": np.array([0.1, 0.2, 0.3], np.float32), "limit": np.array([limit])}
    assert "WHILE" in builtins_of(hub_of(ENDED), feeds, tmp_path)


def test_a_long_scan_from_the_end_is_a_while(tmp_path: Path) -> None:
    assert "WHILE" in builtins_of(hub_of(SCAN), {"start": floats(2), "x": floats(2, 30)}, tmp_path)


@pytest.mark.parametrize("choice", [True, False])
def test_a_branch_that_is_chosen_at_run_time_is_an_if(choice: bool, tmp_path: Path) -> None:
    feeds = {"x": floats(2, 3), "y": floats(2, 3, seed=1), "choice": np.array(choice)}
    assert "IF" in builtins_of(hub_of(BRANCH), feeds, tmp_path)


def test_a_loop_whose_state_grows_is_refused(tmp_path: Path) -> None:
    grown = LOOP.replace("after = Tanh (moved)", "after = Concat <axis = 0> (moved, x)")
    for old, new in (("float[2,3] last", "m"), ("float[2,3] before", "k"), ("float[2,3] after", "n")):
        grown = grown.replace(old, old.replace("2,3", f"{new},3"))
    hub = hub_of(grown.replace("kept = Mul (after, x)", "kept = Identity (x)"))
    with pytest.raises(ConversionError, match="shape"):
        write_tflite(hub, QuantPlan(Precision.FLOAT32), tmp_path / "model.tflite", TfliteOptions())
