"""``edgekit check`` on real files in real runtimes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

import onnx_ir as ir

from edgekit.cli.border import run
from edgekit_converters.hub.build import GraphBuilder

WEIGHTS = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)


def save(path: Path, weights: np.ndarray) -> str:
    build = GraphBuilder()
    build.output(build.op("MatMul", build.input("x", "float32", ("n", 6)), build.constant(weights)), "logits")
    ir.save(build.build("test").model, path)
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The command's arguments: a coarse model, against an exact one, on 40 samples that the exact one gets all right."""
    x = np.random.default_rng(2).normal(size=(40, 6)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", x=x, y=(x @ WEIGHTS).argmax(axis=1))
    coarse = save(tmp_path / "coarse.onnx", np.round(WEIGHTS * 4) / 4)
    exact = save(tmp_path / "exact.onnx", WEIGHTS)
    return [coarse, "--against", exact, "--samples", str(tmp_path / "samples.npz")]


def test_accuracy_and_agreement_are_reported(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *files, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    original, checked = report["entries"]
    assert (report["schema"], report["metric"]["name"], report["evaluation"]["count"]) == (
        "edgekit.report/1",
        "top1",
        40,
    )
    assert original["accuracy"] == 1.0
    assert checked["drop_points"] == pytest.approx(100 * (1 - checked["accuracy"]))
    assert 15 < checked["agreement"]["sqnr_db"] < 35
    assert checked["runtime"].startswith("onnxruntime")


def test_a_person_gets_a_table_and_a_verdict(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *files, "--metric", "top2", "--limit", "10", "--limit-sqnr", "3dB"]) == 0
    out = capsys.readouterr().out
    assert "checked on 10 samples" in out
    assert "top2" in out
    assert out.splitlines()[-1] == "OK: 1 file, within 1 limit"


@pytest.mark.parametrize(
    ("options", "broken"),
    [
        (["--limit-sqnr", "60dB"], "sqnr"),
        (["--limit-drop", "-0"], ""),
        (["--labels", "none", "--limit-drop", "1"], "drop"),
    ],
)
def test_a_broken_limit_is_exit_code_1(
    files: list[str], capsys: pytest.CaptureFixture[str], options: list[str], broken: str
) -> None:
    code = run(["check", *files, *options])
    captured = capsys.readouterr()
    if broken:
        assert code == 1
        assert f"NOT OK: limit broken: {broken} of coarse.onnx" in captured.out
    else:
        assert code == 2
        assert "write 0.5" in captured.err


def test_files_of_one_name_are_told_apart(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", files[2], *files[1:], "--json"]) == 0
    one, other = json.loads(capsys.readouterr().out)["entries"]
    assert one["name"] != other["name"]
    assert other["agreement"]["equal_samples"] == 1.0
    assert other["agreement"]["sqnr_db"] == 200.0


@pytest.mark.parametrize(
    ("position", "value", "says"),
    [
        (0, "none.onnx", "no model file 'none.onnx'"),
        (2, "none.keras", "there is no model at 'none.keras'"),
        (4, "none.npz", "there are no samples at 'none.npz'"),
    ],
)
def test_a_missing_file_is_one_message(
    files: list[str], capsys: pytest.CaptureFixture[str], position: int, value: str, says: str
) -> None:
    files[position] = value
    assert run(["check", *files]) == 1
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1


def test_a_damaged_file_is_one_message(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(files[0]).write_bytes(b"\x08\x07broken")
    assert run(["check", *files]) == 1
    assert "coarse.onnx" in capsys.readouterr().err


def test_a_metric_of_no_known_name_is_wrong_usage(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *files, "--metric", "topp1"]) == 2
    assert "Did you mean 'top1'" in capsys.readouterr().err


@pytest.mark.data
def test_the_reference_int8_file_of_mlperf_tiny(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert")
    data = os.environ.get("EDGEKIT_DATA")
    if not data:
        pytest.skip("EDGEKIT_DATA names no folder of real data")
    tiny = Path(data) / "mlperf_tiny"
    files = [str(tiny / "pretrainedResnet_quant.tflite"), "--against", str(tiny / "pretrainedResnet.tflite")]
    assert run(["check", *files, "--samples", f"{Path(data) / 'cifar10_eval.npz'}[0:200]", "--json"]) == 0
    original, quantized = json.loads(capsys.readouterr().out)["entries"]
    assert 0.7 < original["accuracy"] < 0.9
    assert abs(quantized["drop_points"]) < 4
    assert quantized["agreement"]["equal_decisions"] > 0.9
