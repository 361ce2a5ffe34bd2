"""Elementwise ops, comparisons and logic in TFLite against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, fixed, floats, integers, masks

POSITIVE = floats(2, 5, low=0.1, high=4.0)
UNIT = floats(2, 5, low=-0.95, high=0.95)
SPECIAL = np.array([[0.0, -0.0, 1e-8, -1e-6, 0.3, -7.5, 50.0, -50.0]], np.float32)

BINARY = [
    *(case(op, floats(2, 3, 4), floats(2, 3, 4, seed=1)) for op in ("Add", "Sub", "Mul", "Max", "Min")),
    *(case(op, floats(2, 3, 4), floats(3, 1)) for op in ("Add", "Sub", "Mul", "Max", "Min")),
    *(case(op, integers(2, 3), integers(3, seed=1)) for op in ("Add", "Sub", "Mul", "Max", "Min")),
    *(case(op, integers(2, 3, dtype="int32"), integers(3, dtype="int32", seed=1)) for op in ("Add", "Sub", "Mul")),
    *(case(op, floats(2, 1, 3, 1, 2), floats(4, 1, 5, 1)) for op in ("Add", "Mul", "Div", "Max")),
    *(case(op, floats(2, 3), fixed(np.float32(1.5), "float32")) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    case("Sub", fixed(np.ones((1,)), "float32"), floats(2, 3)),
    case("Div", floats(2, 3), floats(2, 3, low=0.5, seed=1)),
    case("Div", integers(2, 3), fixed([[2, -3, 4]])),
    case("Pow", POSITIVE, floats(5, seed=1)),
    case("Pow", floats(2, 5), fixed(2.0, "float32")),
    case("Pow", floats(2, 5), fixed(3.0, "float32")),
    case("Pow", POSITIVE, fixed(0.5, "float32")),
    case("Pow", POSITIVE, fixed(-1.0, "float32")),
    case("Pow", floats(2, 5), fixed(2, "int64")),
    case("Pow", integers(2, 5, low=0, high=5), fixed(3, "int64")),
    case("Mod", integers(2, 6), fixed([[3, -3, 4, -4, 5, -7]])),
    case("Mod", integers(2, 6), fixed([[3, -3, 4, -4, 5, -7]]), fmod=1),
    case("Mod", floats(2, 6), fixed([[1.5, -1.5, 2.0, -2.0, 0.7, -0.3]], "float32"), fmod=1),
    case("Sum", floats(2, 3)),
    case("Sum", floats(2, 3), floats(3), floats(2, 1)),
    case("Mean", floats(2, 3), floats(3), floats(2, 1)),
    case("Max", floats(2, 3)),
    case("Max", floats(2, 3), floats(3), floats(2, 1)),
    case("Min", floats(2, 3), floats(3), floats(2, 1)),
]

UNARY = [
    *(case(op, floats(2, 5)) for op in ("Abs", "Neg", "Exp", "Sin", "Cos", "Tan", "Floor", "Ceil", "Sign", "Atan")),
    *(case(op, POSITIVE) for op in ("Sqrt", "Log", "Reciprocal")),
    *(case(op, UNIT) for op in ("Asin", "Acos", "Atanh", "Erf", "Sinh", "Cosh", "Asinh")),
    *(case(op, floats(2, 5, low=-30.0, high=30.0)) for op in ("Erf", "Atan", "Asinh")),
    *(case(op, SPECIAL) for op in ("Abs", "Neg", "Sign", "Erf", "Atan", "Asinh", "Sinh", "Tan")),
    case("Shrink", floats(2, 5), lambd=1.5, bias=0.5),
    case("Acosh", floats(2, 5, low=1.001, high=20.0)),
    case("Round", np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, 7.3], np.float32)),
    *(case(op, integers(2, 5)) for op in ("Abs", "Neg", "Sign")),
    case("Not", masks(2, 5)),
]

LOGIC = [
    *(case(op, masks(2, 5), masks(5, seed=1)) for op in ("And", "Or", "Xor", "Equal")),
    *(
        case(op, np.round(floats(2, 5)), np.round(floats(5, seed=1)))
        for op in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    ),
    *(
        case(op, integers(2, 5), integers(5, seed=1))
        for op in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    ),
    *(
        case(op, integers(2, 5, dtype="int32", low=0), integers(5, dtype="int32", low=0, seed=1))
        for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")
    ),
    case("BitwiseNot", integers(2, 5, dtype="int32")),
    case("IsNaN", np.array([1.0, np.nan, np.inf, -np.inf, 0.0], np.float32)),
    case("IsInf", np.array([1.0, np.nan, np.inf, -np.inf, 0.0], np.float32)),
    case("IsInf", np.array([1.0, np.nan, np.inf, -np.inf, 0.0], np.float32), detect_negative=0),
    case("IsInf", np.array([1.0, np.nan, np.inf, -np.inf, 0.0], np.float32), detect_positive=0),
    case("Where", masks(2, 1, 4), floats(3, 4), floats(2, 3, 1)),
    case("Where", masks(3, 4), integers(3, 4), fixed(0)),
    case("Where", fixed([[True], [False]], "bool"), floats(2, 4), fixed(0.0, "float32")),
]


@pytest.mark.parametrize("node", [*BINARY, *UNARY, *LOGIC], ids=str)
def test_elementwise_op_answers_as_onnxruntime(node: Case, tmp_path: Path) -> None:
    hub, feeds = node.hub()
    assert_equal_outputs(hub, feeds, tmp_path)
