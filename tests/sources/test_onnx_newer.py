"""Operators in forms that only newer opsets allow compute what numpy says, in the project's own opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.errors import UnsupportedLayerError
from edgekit.protocols import ReadOptions
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.sources.onnx import OnnxSource

NEWEST = 28


def answer(path: Path, op: str, x: NDArray[Any], *constants: NDArray[Any], **attributes: Any) -> NDArray[Any]:
    """Of one node between two that only pass on: its types stand in no value of the file."""
    names = [f"c{index}" for index in range(len(constants))]
    nodes = [
        helper.make_node("Identity", ["x"], ["inner"]),
        helper.make_node(op, ["inner", *names], ["made"], **attributes),
        helper.make_node("Identity", ["made"], ["y"]),
    ]
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, x.shape)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(array, name) for array, name in zip(constants, names, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", NEWEST)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return hub_session(normalize(OnnxSource().read(path, ReadOptions()))).run({"x": x})["y"]


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
@pytest.mark.parametrize(("direction", "shift"), [("LEFT", np.left_shift), ("RIGHT", np.right_shift)])
def test_a_shift_of_signed_integers_keeps_their_sign(tmp_path: Path, dtype: str, direction: str, shift: Any) -> None:
    ends = np.iinfo(dtype)
    x = np.array([0, 1, -1, 5, -5, 100, -100, ends.max, ends.min], dtype)
    count = np.array([1, 2, 3, 1, 2, 3, 1, 2, 3], dtype)
    found = answer(tmp_path / "m.onnx", "BitShift", x, count, direction=direction)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, shift(x, count))


def test_a_remainder_of_floats_has_the_sign_of_the_divisor(tmp_path: Path) -> None:
    x = np.array([7.5, -7.5, 7.5, -7.5, 6.0, -6.0, 0.25, -0.25], np.float32)
    divisor = np.array([2.0, 2.0, -2.0, -2.0, 3.0, 3.0, np.inf, np.inf], np.float32)
    np.testing.assert_allclose(answer(tmp_path / "m.onnx", "Mod", x, divisor, fmod=0), np.mod(x, divisor))
    np.testing.assert_allclose(answer(tmp_path / "m.onnx", "Mod", x, divisor, fmod=1), np.fmod(x, divisor))


@pytest.mark.parametrize(("mode", "order"), [("DCR", (0, 3, 5, 1, 2, 4)), ("CRD", (0, 1, 3, 5, 2, 4))])
def test_the_channels_of_space_to_depth_in_both_orders(tmp_path: Path, mode: str, order: tuple[int, ...]) -> None:
    x = np.arange(2 * 3 * 4 * 6, dtype=np.float32).reshape(2, 3, 4, 6)
    expected = x.reshape(2, 3, 2, 2, 3, 2).transpose(order).reshape(2, 12, 2, 3)
    np.testing.assert_array_equal(answer(tmp_path / "m.onnx", "SpaceToDepth", x, blocksize=2, mode=mode), expected)


def test_what_has_no_older_form_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedLayerError, match="BitCast"):
        answer(tmp_path / "m.onnx", "BitCast", np.zeros(2, np.float32), to=6)
