"""Reductions, arg-max, top-k and cumulative sums in TFLite against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, fixed, floats, integers, masks

REDUCTIONS = (
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSumExp",
)

CASES = [
    *(case(op, floats(2, 3, 4), fixed([1])) for op in REDUCTIONS),
    *(case(op, floats(2, 3, 4), fixed([0, -1]), keepdims=0) for op in REDUCTIONS),
    *(case(op, floats(2, 3, 4)) for op in REDUCTIONS),
    *(case(op, floats(2, 3, 4), noop_with_empty_axes=1) for op in ("ReduceSum", "ReduceMean")),
    case("ReduceLogSum", floats(2, 3, 4, low=0.1), fixed([1])),
    case("ReduceLogSumExp", 100.0 * floats(2, 3, 4), fixed([1])),
    *(
        case(op, integers(2, 3, 4), fixed([1]))
        for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1")
    ),
    case("ArgMax", floats(2, 3, 4), axis=1),
    case("ArgMax", floats(2, 3, 4), axis=-1, keepdims=0),
    case("ArgMin", floats(2, 3, 4), axis=0, keepdims=0),
    case("ArgMax", np.array([[1, 3, 3, 2], [5, 5, 0, 5]], np.float32), axis=1),
    case("ArgMax", np.array([[1, 3, 3, 2], [5, 5, 0, 5]], np.float32), axis=1, select_last_index=1),
    case("ArgMin", np.array([[1, 3, 1, 2], [5, 5, 0, 5]], np.float32), axis=1, select_last_index=1, keepdims=0),
    case("TopK", floats(2, 6), fixed([3]), outputs=2),
    case("TopK", floats(2, 6), fixed([3]), outputs=2, largest=0),
    case("TopK", floats(2, 6, 3), fixed([2]), outputs=2, axis=1),
    case("TopK", integers(2, 6, low=0, high=100), fixed([3]), outputs=2),
    case("CumSum", floats(2, 3, 4), fixed(1)),
    case("CumSum", floats(2, 3, 4), fixed(-1), exclusive=1),
    case("CumSum", floats(2, 3, 4), fixed(0), reverse=1),
    case("CumSum", floats(2, 3, 4), fixed(2), reverse=1, exclusive=1),
    case("ReduceMax", masks(2, 3, 4), fixed([1])),
    case("ReduceMin", masks(2, 3, 4), fixed([0, 2]), keepdims=0),
    case("GlobalLpPool", floats(1, 3, 4, 5)),
    case("GlobalLpPool", floats(1, 3, 4, 5), p=1),
]


@pytest.mark.parametrize("node", CASES, ids=str)
def test_reduction_answers_as_onnxruntime(node: Case, tmp_path: Path) -> None:
    hub, feeds = node.hub()
    assert_equal_outputs(hub, feeds, tmp_path, tolerance=3e-5)
