"""ONNX Runtime in memory allocated once."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from runtime_models import write_integer_relu, write_lookup, write_open_length

import edgekit
from edgekit.errors import FeedError, UsageError
from edgekit.protocols import Binder, SessionOptions
from edgekit_runtimes.onnxruntime import OnnxRuntime, OnnxSession


def opened(path: Path) -> OnnxSession:
    return OnnxRuntime().open(path, SessionOptions())


def test_a_run_reads_and_writes_the_same_arrays(tmp_path: Path) -> None:
    session = opened(write_integer_relu(tmp_path / "m.onnx"))
    assert isinstance(session, Binder)
    bound = session.bind()
    given, answer = bound.inputs["x"], bound.outputs["y"]
    for values in ([[-20, 0, 10, 30]], [[50, -1, 11, 9]]):
        given[:] = values
        bound.run()
        assert bound.outputs["y"] is answer
        np.testing.assert_array_equal(answer, np.maximum(values, 10))
        np.testing.assert_array_equal(answer, session.run({"x": given})["y"])


def test_another_array_can_not_take_the_place_of_a_bound_one(tmp_path: Path) -> None:
    bound = opened(write_integer_relu(tmp_path / "m.onnx")).bind()
    with pytest.raises(TypeError):
        bound.inputs["x"] = np.zeros((1, 4), np.int8)  # type: ignore[index]  # what is refused


def test_the_arrays_stay_when_the_session_is_forgotten(tmp_path: Path) -> None:
    bound = opened(write_open_length(tmp_path / "m.onnx")).bind({"x": (64, 1024)})
    gc.collect()
    np.copyto(bound.inputs["x"], 3)
    bound.run()
    assert bound.outputs["y"].sum() == 3 * 64 * 1024


def test_open_dimensions_take_the_sizes_given(tmp_path: Path) -> None:
    bound = opened(write_open_length(tmp_path / "m.onnx")).bind({"x": (2, 5)})
    bound.inputs["x"][:] = -1
    bound.inputs["x"][1, 3] = 4
    bound.run()
    assert bound.outputs["y"].shape == (2, 5)
    assert bound.outputs["y"].sum() == 4


def test_open_dimensions_without_sizes_are_named(tmp_path: Path) -> None:
    session = opened(write_open_length(tmp_path / "m.onnx"))
    with pytest.raises(FeedError, match=r"input 'x' of m\.onnx has the open shape .*; give its sizes: bind\("):
        session.bind()


@pytest.mark.parametrize(("shapes", "says"), [({"z": (1, 2)}, "has no input 'z'"), ({"x": (1, 2, 3)}, "has shape")])
def test_shapes_that_do_not_fit_are_refused(tmp_path: Path, shapes: dict[str, tuple[int, ...]], says: str) -> None:
    with pytest.raises(FeedError, match=says):
        opened(write_open_length(tmp_path / "m.onnx")).bind({"x": (1, 2)} | shapes)


def test_outputs_of_unknown_size_need_a_run_on_zeros(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="does not run on zeros, which tell how large its outputs are"):
        opened(write_lookup(tmp_path / "m.onnx")).bind()


def test_a_closed_session_runs_nothing(tmp_path: Path) -> None:
    session = opened(write_integer_relu(tmp_path / "m.onnx"))
    bound = session.bind()
    session.close()
    with pytest.raises(UsageError, match="is closed"):
        bound.run()
    with pytest.raises(UsageError, match="is closed"):
        session.bind()


def test_the_library_binds_too(tmp_path: Path) -> None:
    with edgekit.load(write_open_length(tmp_path / "m.onnx")) as model:
        bound = model.bind({"x": (1, 3)})
        bound.inputs["x"][:] = 2
        bound.run()
        assert bound.outputs["y"].tolist() == [[2, 2, 2]]
