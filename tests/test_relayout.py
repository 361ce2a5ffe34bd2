"""Files that take pictures in another order than the model they are compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from edgekit.checking import CheckRequest, check_here
from edgekit.errors import UsageError
from edgekit.protocols import Silent
from edgekit_converters.hub.build import GraphBuilder

SLOPES = np.array([1.0, -2.0, 3.0], np.float32)


def write(path: Path, *, channels_last: bool, sizes: tuple[int, int] = (4, 5)) -> Path:
    """Each channel times a slope of its own, relu, in either order; output ``y`` in the same order."""
    height, width = sizes
    shape = ("n", height, width, 3) if channels_last else ("n", 3, height, width)
    build = GraphBuilder()
    slopes = SLOPES if channels_last else SLOPES[:, None, None]
    product = build.op("Mul", build.input("picture", "float32", shape), build.constant(slopes))
    build.output(build.op("Relu", product), "y")
    ir.save(build.build("test").model, path)
    return path


def compared(tmp_path: Path, sizes: tuple[int, int], layout: str | None = None) -> tuple[float, tuple[str, ...]]:
    """SQNR and notes of an NCHW file checked against an NHWC model on NHWC samples."""
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(8, *sizes, 3)).astype(np.float32))
    file = write(tmp_path / "first.onnx", channels_last=False, sizes=sizes)
    model = write(tmp_path / "last.onnx", channels_last=True, sizes=sizes)
    request = CheckRequest(file, model, str(tmp_path / "x.npz"), file_layout=layout)
    report = check_here(request, Silent())
    agreement = report.entries[1].agreement
    assert agreement is not None
    return agreement.sqnr_db, report.notes


def test_the_shapes_tell_the_order(tmp_path: Path) -> None:
    sqnr_db, notes = compared(tmp_path, (4, 5))
    assert sqnr_db == 200
    assert notes[-1] == "transposed for the comparison, channels first against last: 'picture', 'y'"


def test_shapes_that_fit_both_ways_are_left_alone_unless_the_order_is_given(tmp_path: Path) -> None:
    assert compared(tmp_path, (3, 3))[0] < 10
    assert compared(tmp_path, (3, 3), "NCHW")[0] == 200


def test_an_order_that_can_not_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no input that could be NHWC .*'picture' \('n', 3, 4, 5\).*--file-layout"):
        compared(tmp_path, (4, 5), "NHWC")


def test_equal_orders_change_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((2, 4, 5, 3), np.float32) * SLOPES)
    one, other = (write(tmp_path / f"{name}.onnx", channels_last=True) for name in ("a", "b"))
    assert check_here(CheckRequest(one, other, str(tmp_path / "x.npz")), Silent()).notes == ()
