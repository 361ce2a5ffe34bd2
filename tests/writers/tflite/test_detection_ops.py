"""Heads of detectors in TFLite against ONNX Runtime: the number of rows is the data's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime_twin import Arrays, assert_equal_outputs, floats
from test_control_ops import hub_of

from edgekit.errors import UnsupportedOpError
from edgekit.recipe import Precision
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

SUPPRESSED = """
  chosen = NonMaxSuppression (boxes, scores, most, overlap, least)
"""
CONSTANTS = "<int64[1] most = {5}, float[1] overlap = {0.5}, float[1] least = {0.3}, int64[2] columns = {0, 2}"
HEAD = "main (float[2,30,4] boxes, float[2,3,30] scores)"
GATHERED = f"""
{HEAD} => (float[n,4] kept, float[n] areas, int64[n,3] chosen) {CONSTANTS}, int64[1] last = {{-1}}>
{{
  {SUPPRESSED}
  places = Gather <axis = 1> (chosen, columns)
  kept = GatherND (boxes, places)
  squares = Mul (kept, kept)
  areas = ReduceSum <keepdims = 0> (squares, last)
}}
"""
RANKED = f"""
{HEAD} => (float[k] best, float[k,4] kept, int64[k] classes) {CONSTANTS}, int64 one = {{1}}, int64[1] at = {{1}},
  int64[1] ten = {{10}}, int64[1] zero = {{0}}>
{{
  {SUPPRESSED}
  found = GatherND (scores, chosen)
  size = Shape <end = 1> (found)
  count = Min (size, ten)
  best, order = TopK <axis = 0> (found, count)
  labels = Gather <axis = 1> (chosen, one)
  classes = Gather <axis = 0> (labels, order)
  places = Gather <axis = 1> (chosen, columns)
  all = GatherND (boxes, places)
  kept = Gather <axis = 0> (all, order)
}}
"""
COUNTED = f"{HEAD} => (int64[1] count) {CONSTANTS}>\n{{ {SUPPRESSED} count = Shape <end = 1> (chosen) }}"
SUMMED = f"{HEAD} => (int64[1,3] total) {CONSTANTS}, int64[1] zero = {{0}}>\n{{ {SUPPRESSED} total = ReduceSum (chosen, zero) }}"


def pictures(high: float = 1.0) -> Arrays:
    corners = floats(2, 30, 2, low=0, high=20)
    boxes = np.concatenate([corners, corners + floats(2, 30, 2, low=2, high=12, seed=1)], axis=-1)
    return {"boxes": boxes, "scores": floats(2, 3, 30, low=0, high=high, seed=2)}


@pytest.mark.parametrize("high", [1.0, 0.35])
@pytest.mark.parametrize("head", [GATHERED, RANKED], ids=["gathered", "ranked"])
def test_a_head_gives_as_many_rows_as_there_are_detections(head: str, high: float, tmp_path: Path) -> None:
    assert_equal_outputs(hub_of(head), pictures(high), tmp_path)


@pytest.mark.parametrize("head", [COUNTED, SUMMED], ids=["counted", "summed"])
def test_what_depends_on_all_rows_is_refused(head: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOpError, match="NonMaxSuppression"):
        write_tflite(hub_of(head), QuantPlan(Precision.FLOAT32), tmp_path / "model.tflite", TfliteOptions())


def test_thresholds_are_exceeded_not_reached(tmp_path: Path) -> None:
    """Two boxes that overlap by exactly one half: the threshold, above which ONNX suppresses."""
    boxes = np.zeros((2, 30, 4), np.float32)
    boxes[:, 0], boxes[:, 1] = (0, 0, 1, 3), (0, 1, 1, 4)
    scores = np.zeros((2, 3, 30), np.float32)
    scores[:, :, :2] = 0.9, 0.8
    assert_equal_outputs(hub_of(GATHERED), {"boxes": boxes, "scores": scores}, tmp_path)
