"""The whole path: one set of integers in two files, formats that fail alone, references, results in the manifests."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from conversion import CALIBRATE, DIGITS, UNCHECKED, convert
from file_integers import onnx_integers, tflite_integers

import edgekit
from edgekit_converters.hub.build import GraphBuilder


def save(build: GraphBuilder, path: Path) -> Path:
    ir.save(build.build("test").model, path)
    return path


def samples(path: Path, *shape: int) -> tuple[str, str]:
    np.savez(path, x=np.random.default_rng(3).normal(size=shape).astype(np.float32))
    return "--calibrate", str(path)


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def convolutions(path: Path) -> Path:
    """Plain, depthwise and grouped convolutions and a dense layer, NCHW."""
    build = GraphBuilder()
    value = build.input("x", "float32", ("n", 3, 12, 12))
    value = build.op(
        "Conv", value, build.constant(weights(8, 3, 3, 3)), build.constant(weights(8, seed=1)), name="plain"
    )
    value = build.op("Relu", value)
    depthwise = build.constant(weights(8, 1, 3, 3, seed=2))
    value = build.op("Conv", value, depthwise, build.constant(weights(8, seed=3)), name="depthwise", group=8)
    value = build.op("Conv", value, build.constant(weights(12, 2, 1, 1, seed=4)), name="grouped", group=4)
    value = build.op("GlobalAveragePool", build.op("Sigmoid", value))
    value = build.op("Flatten", value)
    value = build.op(
        "Gemm", value, build.constant(weights(12, 5, seed=5)), build.constant(weights(5, seed=6)), name="dense"
    )
    build.output(value, "scores")
    return save(build, path)


def assert_same_integers(folder: Path, stem: str, *, at_least: int) -> None:
    in_onnx = onnx_integers(folder / f"{stem}.int8.onnx")
    in_tflite = tflite_integers(folder / f"{stem}.int8.tflite")
    shared = in_onnx.keys() & in_tflite.keys()
    assert len(shared) >= at_least, (in_onnx.keys(), in_tflite.keys())
    for name in shared:
        one, other = in_onnx[name], in_tflite[name]
        if one.ndim == 2 and one.shape != other.shape:
            other = other.T
        np.testing.assert_array_equal(one.reshape(other.shape) if one.size == other.size == 1 else one, other, name)


@pytest.mark.parametrize(
    "options", [(), ("--effort", "plain"), ("--target", "raspberry-pi-4"), ("--target", "jetson-orin")]
)
def test_both_files_hold_the_same_weights_and_biases_to_the_bit(
    digits: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    assert convert(digits, tmp_path, *UNCHECKED, *options).code == 0
    assert_same_integers(tmp_path, "digits", at_least=12)


def test_every_kind_of_convolution_holds_the_same_integers(tmp_path: Path) -> None:
    model = convolutions(tmp_path / "kinds.onnx")
    made = convert(model, tmp_path / "out", *samples(tmp_path / "x.npz", 16, 3, 12, 12), "--no-checks")
    assert made.code == 0, made.document
    assert_same_integers(tmp_path / "out", "kinds", at_least=6)


def test_a_format_that_fails_leaves_the_other_and_is_named(tmp_path: Path) -> None:
    build = GraphBuilder()
    value = build.op("MatMul", build.input("x", "float32", ("n", 4, 4)), build.constant(weights(4, 4)), name="dense")
    build.output(build.op("Det", value, name="determinant"), "y")
    model = save(build, tmp_path / "det.onnx")
    made = convert(model, tmp_path / "out", *samples(tmp_path / "x.npz", 16, 4, 4), "--limit-size", "1MB")
    assert made.code == 1
    assert {"det.int8.onnx", "det.int8.onnx.json", "report.json"} == made.files
    (failure,) = made.document["failures"]
    assert failure["stage"] == "write tflite"
    assert "'determinant' uses Det, which the TFLite writer cannot emit" in failure["message"]
    artifact = next(entry for entry in made.document["entries"] if entry["role"] == "artifact")
    assert artifact["agreement"]["sqnr_db"] > 20
    with edgekit.load(tmp_path / "out" / "det.int8.onnx") as opened:
        assert np.isfinite(opened(np.eye(4, dtype=np.float32)[None])).all()


def test_a_keras_file_is_compared_with_keras_where_it_is_installed(tmp_path: Path) -> None:
    few = ("--evaluate", f"{DIGITS / 'evaluate.npz'}[0:50]", "--metric", "top1", "--to", "onnx")
    report = convert(DIGITS / "digits_cnn.keras", tmp_path, *CALIBRATE, *few).document
    assert report["reference_is_original"] is (importlib.util.find_spec("tensorflow") is not None)
    assert ("keras" in report["reference"]) is report["reference_is_original"]
    floats, artifact = report["entries"][1:]
    assert floats["agreement"]["sqnr_db"] > 100
    assert artifact["agreement"]["sqnr_db"] > 40


def test_without_samples_agreement_is_on_random_inputs_and_the_report_says_so(tmp_path: Path) -> None:
    model = convolutions(tmp_path / "kinds.onnx")
    report = convert(model, tmp_path / "out", "--precision", "float16", "--to", "onnx").document
    assert report["passed"] is True
    assert report["evaluation"] is None
    assert any("random inputs" in note for note in report["notes"])
    assert report["entries"][-1]["agreement"]["sqnr_db"] > 50


def test_two_inputs_and_two_outputs_keep_names_and_order(tmp_path: Path) -> None:
    build = GraphBuilder()
    left, right = (build.input(name, "float32", ("n", 6)) for name in ("left", "right"))
    total = build.op(
        "Add",
        build.op("MatMul", left, build.constant(weights(6, 4))),
        build.op("MatMul", right, build.constant(weights(6, 4, seed=1))),
    )
    build.output(build.op("Tanh", total), "second_name")
    build.output(total, "a_first_name")
    model = save(build, tmp_path / "two.onnx")
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=(32, 6)).astype(np.float32) for name in ("right", "left")}
    np.savez(tmp_path / "xy.npz", **arrays)
    made = convert(model, tmp_path / "out", "--calibrate", str(tmp_path / "xy.npz"), "--no-checks")
    assert made.code == 0, made.document
    for name in ("two.int8.tflite", "two.int8.onnx"):
        with edgekit.load(tmp_path / "out" / name) as opened:
            assert [spec.name for spec in opened.inputs] == ["left", "right"]
            assert [spec.name for spec in opened.outputs] == ["second_name", "a_first_name"]
            found = opened.run({key: value[:8] for key, value in arrays.items()})
        expected = np.tanh(found["a_first_name"])
        np.testing.assert_allclose(found["second_name"], expected, atol=0.05)


def test_an_earlier_good_artifact_survives_a_failed_run(digits: Path, tmp_path: Path) -> None:
    assert convert(digits, tmp_path, *UNCHECKED).code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    damaged = tmp_path.parent / f"{tmp_path.name}-model" / "digits.onnx"
    damaged.parent.mkdir()
    damaged.write_bytes(digits.read_bytes()[:-1000])
    assert convert(damaged, tmp_path, *UNCHECKED).code == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_second_run_gives_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert convert(digits, tmp_path / folder, *UNCHECKED).code == 0
    for name in ("digits.int8.tflite", "digits.int8.onnx"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        manifests = [json.loads((tmp_path / folder / f"{name}.json").read_text()) for folder in ("one", "two")]
        assert manifests[0] == manifests[1]
