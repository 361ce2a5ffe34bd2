"""Activation functions in float TFLite files against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, fixed, floats, integers

X = floats(2, 3, 4, 5, low=-8.0, high=8.0)


def bound(number: float) -> object:
    return fixed(number, "float32")


CASES = [
    *(
        case(op, X)
        for op in ("Relu", "Sigmoid", "Tanh", "HardSwish", "Softplus", "Softsign", "Mish", "Selu", "Elu", "Celu")
    ),
    *(case(op, X) for op in ("LeakyRelu", "HardSigmoid", "ThresholdedRelu", "Gelu")),
    case("Gelu", X, approximate="tanh"),
    case("Elu", X, alpha=0.4),
    case("Celu", X, alpha=1.7),
    case("Selu", X, alpha=2.0, gamma=0.7),
    case("LeakyRelu", X, alpha=0.3),
    case("HardSigmoid", X, alpha=1 / 6, beta=0.5),
    case("ThresholdedRelu", X, alpha=2.0),
    case("PRelu", X, fixed(floats(3, 1, 1), "float32")),
    case("PRelu", X, fixed(floats(1), "float32")),
    case("PRelu", X, fixed(floats(1, 3, 1, 1), "float32")),
    case("PRelu", X, fixed(floats(3, 4, 5), "float32")),
    case("PRelu", floats(2, 6), fixed(floats(6), "float32")),
    case("Clip", X, bound(0.0), bound(6.0)),
    case("Clip", X, bound(-1.0), bound(1.0)),
    case("Clip", X, bound(0.0), None),
    case("Clip", X, bound(-0.3), bound(2.5)),
    case("Clip", X, None, bound(2.5)),
    case("Clip", X, bound(-2.5)),
    case("Clip", X, bound(0.0), bound(np.finfo(np.float32).max)),
    case("Clip", X, bound(-np.finfo(np.float32).max), bound(np.finfo(np.float32).max)),
    case("Clip", X),
    case("Clip", X, np.array(-1.5, np.float32), np.array(1.0, np.float32)),
    case("Clip", integers(3, 4, dtype="int32"), fixed(-2, "int32"), fixed(3, "int32")),
    *(case(op, X, axis=axis) for op in ("Softmax", "LogSoftmax", "Hardmax") for axis in (-1, 1, 0)),
    case("Softmax", floats(3, 7)),
    case("Softmax", floats(2, 2, 2, 3, 4), axis=2),
    case("Softmax", floats(7), axis=0),
]


@pytest.mark.parametrize("sample", CASES, ids=str)
def test_an_activation_answers_as_in_onnxruntime(sample: Case, tmp_path: Path) -> None:
    assert_equal_outputs(*sample.hub(), tmp_path)


def test_softplus_does_not_overflow(tmp_path: Path) -> None:
    hub, feeds = case("Softplus", np.array([[-200.0, -20.0, 0.0, 20.0, 200.0]], np.float32)).hub()
    assert_equal_outputs(hub, feeds, tmp_path)
