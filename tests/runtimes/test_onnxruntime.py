"""What is ONNX Runtime's own: open shapes, providers, encodings from the manifest, true placement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from runtime_models import ENCODING, write_integer_relu, write_lookup, write_open_length, write_quantized_matmul

from edgekit.errors import FeedError, RuntimeUnavailableError, UsageError
from edgekit.protocols import Delegate, SessionOptions
from edgekit_runtimes.onnxruntime import OnnxRuntime, OnnxSession


def opened(path: Path, **options: object) -> OnnxSession:
    return OnnxRuntime().open(path, SessionOptions(**options))  # type: ignore[arg-type]  # the tests' own keywords


def test_open_dimensions_keep_their_names_and_take_any_size(tmp_path: Path) -> None:
    session = opened(write_open_length(tmp_path / "m.onnx"))
    assert session.inputs[0].shape == ("batch", "length")
    for shape in ((1, 3), (2, 5), (2, 5)):
        assert session.run({"x": np.full(shape, -1, np.float32)})["y"].shape == shape


def test_a_wrong_rank_is_refused_where_dimensions_are_open(tmp_path: Path) -> None:
    session = opened(write_open_length(tmp_path / "m.onnx"))
    with pytest.raises(FeedError, match=r"shape \(3,\); expected \(batch, length\)"):
        session.run({"x": np.zeros(3, np.float32)})


def test_encodings_of_integer_ends_come_from_the_manifest(tmp_path: Path) -> None:
    session = opened(write_integer_relu(tmp_path / "m.onnx"))
    assert session.inputs[0].quantization == session.outputs[0].quantization == ENCODING
    assert session.inputs[0].dtype == "int8"


def test_without_a_manifest_integer_ends_have_no_encoding(tmp_path: Path) -> None:
    assert opened(write_integer_relu(tmp_path / "m.onnx", manifest=False)).inputs[0].quantization is None


@pytest.mark.parametrize("name", ["CUDAExecutionProvider", "cuda", "TensorRT"])
def test_an_absent_provider_is_never_replaced_by_the_cpu(tmp_path: Path, name: str) -> None:
    path = write_open_length(tmp_path / "m.onnx")
    with pytest.raises(
        RuntimeUnavailableError, match=f"no usable execution provider '{name}': .*onnxruntime-gpu.*It has CPU"
    ):
        opened(path, delegates=(Delegate(name),))


@pytest.mark.parametrize("name", ["cpu", "CPUExecutionProvider"])
def test_the_cpu_can_be_asked_for_by_name(tmp_path: Path, name: str) -> None:
    session = opened(write_open_length(tmp_path / "m.onnx"), delegates=(Delegate(name),))
    assert {op.device for op in session.placement().ops} == {"CPUExecutionProvider"}


def test_placement_sees_the_integer_kernel_that_a_fusion_made(tmp_path: Path) -> None:
    path = write_quantized_matmul(tmp_path / "m.onnx")
    kernels = {op.op: op for op in opened(path).placement().ops}
    assert kernels["QLinearMatMul"].integer
    assert kernels["QLinearMatMul"].kernel == "uint8 -> uint8"
    assert not kernels["QuantizeLinear"].integer


def test_placement_sees_the_float_kernel_where_nothing_is_fused(tmp_path: Path) -> None:
    path = write_quantized_matmul(tmp_path / "m.onnx")
    kernels = {op.op: op for op in opened(path, optimization="none").placement().ops}
    assert not kernels["MatMul"].integer
    assert kernels["MatMul"].kernel == "float32 -> float32"


def test_placement_of_a_model_that_fails_on_zeros_lists_assignments_and_says_so(tmp_path: Path) -> None:
    path = write_lookup(tmp_path / "m.onnx")
    placement = opened(path).placement()
    assert [(op.op, op.device) for op in placement.ops] == [("Reshape", "CPUExecutionProvider")]
    assert "does not run on zeros" in placement.notes[0]


def test_placement_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_open_length(tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    opened(path).placement()
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.onnx"]


def test_a_failure_inside_the_model_names_the_shapes(tmp_path: Path) -> None:
    session = opened(write_lookup(tmp_path / "m.onnx"))
    with pytest.raises(FeedError, match=r"m\.onnx failed on x \(1, 4\), shape \(2,\): "):
        session.run({"x": np.zeros((1, 4), np.float32), "shape": np.array([3, 3])})


def test_an_unknown_optimization_level_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one of: all, basic, none"):
        opened(write_open_length(tmp_path / "m.onnx"), optimization="extreme")
